/**
 * A run's trace, as OpenTelemetry has it. Its ids are made from those that the run has anyhow, so that every process knows them: nothing has to
 * travel with the run, and no history has anything of it.
 */

type Environment = Readonly<Record<string, string | undefined>>;

const isOff = (value: string | undefined) => value?.trim().toLowerCase() === 'true';

/** Whether this process sends traces, by the standard variables. By default nothing leaves the machine. */
export function sendsTraces(env: Environment): boolean {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const exporters = (env.OTEL_TRACES_EXPORTER || 'otlp').split(',').map((one) => one.trim());
  return Boolean(endpoint) && exporters.includes('otlp') && !isOff(env.OTEL_SDK_DISABLED);
}

/** By the trace's id alone, so that all processes of a run decide alike. */
export function isSampled(trace: string, env: Environment): boolean {
  const sampler = (env.OTEL_TRACES_SAMPLER ?? '').replace(/^parentbased_/, '');
  if (sampler === 'always_off') return false;
  if (sampler !== 'traceidratio') return true;
  const share = Number(env.OTEL_TRACES_SAMPLER_ARG || 1);
  return !(share >= 0 && share <= 1) || Number.parseInt(trace.slice(-8), 16) < share * 2 ** 32;
}

/** Of a UUID, its digits; null for anything else. */
function digitsOf(uuid: string | undefined): string | null {
  const digits = (uuid ?? '').replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(digits) && !/^0*$/.test(digits.slice(16)) ? digits : null;
}

/** `chain`: the executions of a life, oldest first. */
export const traceOf = (chain: readonly string[]): string | null => digitsOf(chain[0]);

/** Of the whole run, which the others are part of. */
export const runSpanOf = (trace: string): string => trace.slice(16);

/** Of a session: from its trainer's start to its end. */
export const sessionSpanOf = (session: string): string | null => digitsOf(session)?.slice(16) ?? null;

export interface SpanPlace {
  trace: string;
  span: string;
}

export const traceparentOf = ({ trace, span }: SpanPlace, env: Environment): string =>
  `00-${trace}-${span}-0${isSampled(trace, env) ? 1 : 0}`;

/** Null for what is none. */
export function readTraceparent(text: unknown): SpanPlace | null {
  const [, trace, span] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/.exec(String(text)) ?? [];
  return trace && span ? { trace, span } : null;
}

/** For the environment of a trainer: what its own instrumentation tells becomes part of the session. */
export function trainerTrace(chain: readonly string[], session: string, env: Environment): { TRACEPARENT?: string } {
  const [trace, span] = [traceOf(chain), sessionSpanOf(session)];
  return sendsTraces(env) && trace && span ? { TRACEPARENT: traceparentOf({ trace, span }, env) } : {};
}

/** A part of a run that is over. */
export interface TracedSpan extends SpanPlace {
  name: string;
  parent: string | null;
  kind: 'internal' | 'producer' | 'consumer';
  start: Date;
  end: Date;
  attributes: Readonly<Record<string, string | number | boolean>>;
  /** What it failed with. */
  error: string | null;
  /** Of another trace, which asked for it. */
  link?: SpanPlace | null;
}

/** Takes spans, and sends them some time. */
export type TellSpan = (span: TracedSpan) => void;
