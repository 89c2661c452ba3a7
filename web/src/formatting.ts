/** Numbers, sizes and times as a person reads them, in the reader's language and zone. */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

/** A metric's value: four significant digits, `1.2e-5` where zeros would hide it. */
export function formatMetric(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value !== 0 && (size < 0.001 || size >= 1e7)) return value.toExponential(2);
  if (Number.isInteger(value)) return whole.format(value);
  return new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 }).format(value);
}

export const formatCount = (value: number): string => whole.format(value);

/** `3 epochs`, `1 epoch`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${whole.format(value)} ${value === 1 ? one : many}`;

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(seconds < 0.1 ? 2 : 1).replace(/\.0$/, '')} s`;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const parts: [number, string][] = [
    [Math.floor(rounded / 86_400), 'd'],
    [Math.floor((rounded % 86_400) / 3600), 'h'],
    [Math.floor((rounded % 3600) / 60), 'min'],
    [rounded % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}

export const secondsBetween = (from: string, to: string | number): number =>
  Math.max(0, ((typeof to === 'number' ? to : Date.parse(to)) - Date.parse(from)) / 1000);

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** Date and time in the reader's zone. */
export const formatInstant = (at: string): string => moment.format(new Date(at));

/** The time alone for today, else the date with it. */
export function formatClock(at: string, now = Date.now()): string {
  const date = new Date(at);
  return day.format(date) === day.format(now) ? clock.format(date) : moment.format(date);
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });

/** `5 min ago`. */
export function formatAge(at: string, now = Date.now()): string {
  const seconds = (Date.parse(at) - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return 'just now';
  if (size < 3600) return relative.format(Math.round(seconds / 60), 'minute');
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), 'hour');
  return relative.format(Math.round(seconds / 86_400), 'day');
}

export const formatPercent = (part: number): string =>
  new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 }).format(part);
