/** One logger for the process, its activities, its workflows and the Temporal SDK itself. */
import { type LogLevel, Runtime, type RuntimeOptions, type Logger as TemporalLogger } from '@temporalio/worker';
import { type Logger, type LoggerOptions, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { readListenAddress, shownAddress } from '../contracts/listen-address.ts';
import { sendsTraces } from '../contracts/trace.ts';
import { superviselyTask } from '../observers/supervisely-task.ts';
import { traceFields } from './activity-spans.ts';

/** As the SDK of Supervisely names and writes what an agent reads from the output of an app. */
const asTask: LoggerOptions = {
  messageKey: 'message',
  timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
  formatters: { level: (level) => ({ level }) },
};

/** Pretty on a terminal, JSON lines otherwise, in a task of a Supervisely server those of its apps; the level is LOG_LEVEL, `info` when unset. To stderr: stdout is for answers. */
export function createLogger(): Logger {
  const level = process.env.LOG_LEVEL ?? 'info';
  const options = { level, mixin: traceFields };
  if (!process.stderr.isTTY)
    return pino({ ...options, ...(superviselyTask(process.env) === null ? {} : asTask) }, pino.destination(2));
  // Not by pino's thread for such texts: that one ends with a terminal that is closed, and every line after it is an
  // error that ends this process, which just then has trainers to drain.
  process.stderr.on('error', () => undefined);
  const pretty = prettyFactory({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss', singleLine: true });
  return pino(options, { write: (line) => process.stderr.write(pretty(line)) });
}

const levels: Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

/** What Temporal says goes through pino too, with `run` where it names a workflow. */
export function temporalLogger(log: Logger): TemporalLogger {
  const write = (said: LogLevel, message: string, meta?: Record<string | symbol, unknown>) => {
    // Four of our five queues serve activities alone: that is meant, and no warning.
    const level = message.startsWith('No workflows registered') ? 'DEBUG' : said;
    const { workflowId, activityType, error, state, epoch, failure, trace, ...rest } = meta ?? {};
    const bound = {
      ...(workflowId === undefined ? {} : { run: workflowId }),
      ...(activityType === undefined ? {} : { activity: activityType }),
      ...(state === undefined ? {} : { state }),
      ...(epoch === undefined ? {} : { epoch }),
      ...(error === undefined ? {} : { err: error }),
      ...(failure === undefined ? {} : { failure }),
      ...(trace === undefined || !sendsTraces(process.env) ? {} : { trace_id: trace }),
    };
    log[levels[level]](log.isLevelEnabled('debug') ? { ...bound, sdk: rest } : bound, message);
  };
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}

/** Once a process, before the first connection. A second call is ignored: tests start several workers. */
export function installLogger(log: Logger): void {
  if (installed) return;
  installed = true;
  Runtime.install({ logger: temporalLogger(log), shutdownSignals: [], ...sdkMetrics() });
}

/** What Temporal's SDK measures of itself, it tells Prometheus on a port of its own. */
function sdkMetrics(): Pick<RuntimeOptions, 'telemetryOptions'> {
  const listen = readListenAddress(process.env.EPOCHAL_TEMPORAL_METRICS_ADDRESS ?? '');
  return listen ? { telemetryOptions: { metrics: { prometheus: { bindAddress: shownAddress(listen) } } } } : {};
}
let installed = false;
