/** Values as people read them in a terminal. */
import type { Metrics, Position } from '../../contracts/checkpoint.ts';

/** `2026-01-31 09:30:00`, in the local zone. */
export function timeText(instant: string): string {
  const at = new Date(instant);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clockText(instant)}`;
}

/** `09:30:00`, in the local zone. */
export function clockText(instant: string): string {
  const at = new Date(instant);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `0.4 s`, `12 s`, `3 min 20 s`, `5 h 3 min`, `2 d 4 h`. */
export function durationText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** `loss 0.1203, val_accuracy 0.98`, the first eight. */
export function metricsText(metrics: Metrics): string {
  const all = Object.entries(metrics);
  const shown = all.slice(0, 8).map(([metric, value]) => `${plain(metric)} ${numberText(value)}`);
  return [...shown, ...(all.length > shown.length ? [`and ${all.length - shown.length} more`] : [])].join(', ');
}

export const numberText = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));

export const positionText = ({ epoch, batch }: Position): string =>
  batch === 0 ? `epoch ${epoch}` : `epoch ${epoch} and ${batch} batches`;

/** Text of a trainer or a config on one line, without anything that a terminal would obey. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trimEnd();

const two = (value: number): string => String(value).padStart(2, '0');
