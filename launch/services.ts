/** `epochal server` and `epochal worker`: their parts in one process, until a signal. */
import type { Logger } from 'pino';
import { connect } from '../client/connect.ts';
import { runServerUntilSignal } from '../server/main.ts';
import type { ServerSettings } from '../server/settings.ts';
import { type ControlOptions, keepControl, startControl } from '../server/workflows/control.ts';
import { RunMetrics } from '../server/workflows/run-metrics.ts';
import { installLogger } from '../worker/log.ts';
import { cacheFolder } from '../worker/machine-folders.ts';
import { type ControlStart, runWorkerUntilSignal } from '../worker/main.ts';
import type { WorkerSettings } from '../worker/settings.ts';
import { ensureBuiltWeb } from './build-web.ts';

type Temporal = NonNullable<ControlOptions['temporal']>;

/** Where Temporal is; nothing where it is configured: that may say more than an address, and is read where it is needed. */
async function findTemporal(): Promise<{ temporal?: Temporal }> {
  const { address, namespace, isConfigured, close } = await connect();
  await close();
  return isConfigured ? {} : { temporal: { address, namespace } };
}

/** Without the pages there is still the API. */
async function buildWeb(): Promise<void> {
  const tell = (line: string) => process.stderr.write(`${line}\n`);
  await ensureBuiltWeb({ onProgress: tell }).catch((error: unknown) =>
    tell(`the web UI could not be built: ${error instanceof Error ? error.message : String(error)}`),
  );
}

/** Answers the exit code. */
export async function runServer({ prepare = buildWeb }: { prepare?: () => Promise<void> } = {}): Promise<number> {
  let folder = '';
  const metrics = new RunMetrics();
  const control = ({ workflowQueue }: ServerSettings, log: Logger) => {
    installLogger(log);
    return keepControl({ log, workflowQueue, cacheFolder: folder, metrics }, findTemporal);
  };
  return runServerUntilSignal({
    prepare: async () => {
      // Throws when the environment is wrong, which keeps the server from starting.
      folder = cacheFolder();
      await prepare();
    },
    control,
    counted: [metrics.exposed],
  });
}

/** Answers the exit code. Throws while Temporal does not answer. `idleSeconds`: a worker in a batch job, which ends after so long without work. */
export async function runWorker(options: { withControl: boolean; idleSeconds?: number | undefined }): Promise<number> {
  const { withControl, idleSeconds } = options;
  const where = await findTemporal();
  if (!withControl) return runWorkerUntilSignal({ ...where, idleSeconds });
  const metrics = new RunMetrics();
  const control = ({ settings, log, signal }: ControlStart) =>
    startControl({ ...controlSettings(settings), log, signal, ...where, metrics });
  return runWorkerUntilSignal({ ...where, control, counted: [metrics.exposed], idleSeconds });
}

/** For one who serves workflows beside a worker. */
export const controlSettings = ({ cacheFolder, workflowQueue }: WorkerSettings) => ({ cacheFolder, workflowQueue });
