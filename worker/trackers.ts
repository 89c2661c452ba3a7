/** The trackers that this worker can tell, by what its environment says of each. */
import { fileURLToPath } from 'node:url';
import { Tracker } from '../observers/tracker.ts';
import { TrackerProgram } from './tracker-program.ts';

const programOf = (name: string) => fileURLToPath(new URL(`../observers/trackers/${name}.py`, import.meta.url));

/** Null where the environment names no server. */
export function mlflowTracker(
  env: NodeJS.ProcessEnv,
  experiment: string | null = null,
  onProgress?: (message: string) => void,
): Tracker | null {
  if (!env.MLFLOW_TRACKING_URI) return null;
  const given = Object.fromEntries(Object.entries(env).filter(([name]) => /^_?MLFLOW_|^AWS_|^DATABRICKS_/.test(name)));
  // The run tries again, so that nobody waits for a client that does; and nothing leaves the machine but what it is told.
  const own = {
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
    MLFLOW_HTTP_REQUEST_TIMEOUT: '20',
    MLFLOW_DISABLE_TELEMETRY: 'true',
  };
  const environment = { ...own, ...given, MLFLOW_ENABLE_ASYNC_LOGGING: 'false' };
  return new Tracker(
    'mlflow',
    new TrackerProgram({ file: programOf('mlflow_tracker'), environment, onProgress }),
    experiment,
  );
}
