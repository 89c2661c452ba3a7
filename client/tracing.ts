/** Sends the spans of runs to a collector, where the standard variables of OpenTelemetry name one. */
import { randomBytes } from 'node:crypto';
import { isSampled, sendsTraces, type TellSpan, type TracedSpan } from '../contracts/trace.ts';
import { version } from './version.ts';

type Otel = typeof import('./otel.ts');
type Processor = InstanceType<Otel['BatchSpanProcessor']>;
type Span = Parameters<Processor['onEnd']>[0];

/** `api.SpanKind` and `api.SpanStatusCode`. */
const kinds = { internal: 0, producer: 3, consumer: 4 } as const;
const [unset, failed] = [0, 2];
const sampled = 1;
/** Characters of a failure: a traceback belongs into a log. */
const longestError = 500;
/** Between two complaints of a collector that does not answer, in milliseconds. */
const complainEvery = 60_000;

export interface TracingOptions {
  /** Unless OTEL_SERVICE_NAME has another name. */
  service: string;
  env?: NodeJS.ProcessEnv;
  /** Told at most once a minute. */
  onProblem?: (problem: string) => void;
}

/** As an id: of a span whose id nobody has to know. */
export const newSpan = (): string => randomBytes(8).toString('hex');

let open: Tracing | null = null;

/** Once a process: whoever asks first names the service. Null where no traces are sent. */
export function openTracing(options: TracingOptions): Tracing | null {
  if (open === null && sendsTraces(options.env ?? process.env)) open = new Tracing(options);
  return open;
}

/** Null where nobody opened it. */
export const tracing = (): Tracing | null => open;

/** What is under way is sent, for a process that ends. A collector that is down costs it some seconds at most. */
export async function closeTracing(): Promise<void> {
  const closing = open;
  open = null;
  await closing?.close();
}

export class Tracing {
  readonly #env: NodeJS.ProcessEnv;
  readonly #processor: Promise<{ processor: Processor; resource: Span['resource'] } | null>;
  readonly #tell: (problem: string) => void;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ service, env = process.env, onProblem = () => undefined }: TracingOptions) {
    this.#env = env;
    this.#tell = (problem) => {
      if (performance.now() - this.#toldAt < complainEvery) return;
      this.#toldAt = performance.now();
      onProblem(problem);
    };
    this.#processor = this.#load(service);
  }

  /** Never throws, and never waits. */
  readonly tell: TellSpan = (span) => {
    if (!isSampled(span.trace, this.#env)) return;
    void this.#processor.then((loaded) => loaded?.processor.onEnd(spanOf(span, loaded.resource)));
  };

  async close(): Promise<void> {
    const loaded = await this.#processor;
    await loaded?.processor.shutdown().catch(() => undefined);
  }

  async #load(service: string): Promise<{ processor: Processor; resource: Span['resource'] } | null> {
    const protocol = this.#env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || this.#env.OTEL_EXPORTER_OTLP_PROTOCOL;
    if (protocol === 'grpc') {
      this.#tell('OTEL_EXPORTER_OTLP_PROTOCOL is grpc: must be http/protobuf or http/json; no traces are sent');
      return null;
    }
    try {
      const { BatchSpanProcessor, JsonExporter, ProtobufExporter, ...otel } = await import('./otel.ts');
      const exporter = protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
      const send = exporter.export.bind(exporter);
      exporter.export = (spans, done) =>
        send(spans, (result) => {
          if (result.code !== 0) this.#tell(`traces could not be sent: ${result.error?.message ?? 'unknown'}`);
          done(result);
        });
      const own = otel.resourceFromAttributes({ 'service.name': service, 'service.version': version });
      const resource = own.merge(otel.detectResources({ detectors: [otel.envDetector] }));
      return { processor: new BatchSpanProcessor({ exporter }), resource };
    } catch (error) {
      this.#tell(`no traces are sent: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }
}

const timeOf = (at: Date): [number, number] => {
  const ms = at.getTime();
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
};

function spanOf(told: TracedSpan, resource: Span['resource']): Span {
  const { trace, span, parent, link, error } = told;
  const contextOf = (spanId: string, traceId = trace) => ({ traceId, spanId, traceFlags: sampled });
  const end = new Date(Math.max(told.end.getTime(), told.start.getTime()));
  return {
    name: told.name,
    kind: kinds[told.kind],
    spanContext: () => contextOf(span),
    ...(parent === null ? {} : { parentSpanContext: contextOf(parent) }),
    startTime: timeOf(told.start),
    endTime: timeOf(end),
    duration: timeOf(new Date(end.getTime() - told.start.getTime())),
    status: error === null ? { code: unset } : { code: failed, message: error.slice(0, longestError) },
    attributes: { ...told.attributes },
    links: link ? [{ context: contextOf(link.span, link.trace) }] : [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: 'epochal', version },
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  };
}
