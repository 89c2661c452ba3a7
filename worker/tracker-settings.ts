/** What a worker's environment says of trackers. Every tracker reads the variables of its own client, and `EPOCHAL_TRACKERS` names those of runs that choose none. */
import { experimentName, type TrackerName, trackerNames } from '../contracts/trackers.ts';

export interface KnownTracker {
  /** Why this worker cannot tell it; null: it can. */
  problem: string | null;
  /** Of runs that name none; null: their project. */
  experiment: string | null;
  /** Of its program, besides what any program may see. */
  environment: NodeJS.ProcessEnv;
}

export const knownTrackers = (env: NodeJS.ProcessEnv): Record<TrackerName, KnownTracker> => ({ mlflow: mlflow(env) });

function mlflow(env: NodeJS.ProcessEnv): KnownTracker {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value && /^_?MLFLOW_|^AWS_|^DATABRICKS_/.test(name)),
  );
  // The run tries again, so that nobody waits for a client that does; and nothing leaves the machine but what it is told.
  const own = {
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
    MLFLOW_HTTP_REQUEST_TIMEOUT: '20',
    MLFLOW_DISABLE_TELEMETRY: 'true',
  };
  const experiment = env.MLFLOW_EXPERIMENT_NAME || null;
  const problems = [addressProblem(env.MLFLOW_TRACKING_URI ?? ''), experiment && experimentProblem(experiment)];
  return {
    problem: problems.find((one) => one !== null) || null,
    experiment,
    // It is told which experiment, and writes at once.
    environment: { ...own, ...given, MLFLOW_ENABLE_ASYNC_LOGGING: 'false' },
  };
}

/** A folder or a database is on one machine, and a pool has several. */
function addressProblem(address: string): string | null {
  if (address === '') return 'MLFLOW_TRACKING_URI is not set';
  if (!/^(https?:\/\/.|databricks(:\/\/|$))/.test(address))
    return 'MLFLOW_TRACKING_URI must be the http or https address of a server, or databricks';
  return /^https?:\/\/[^/]*@/.test(address)
    ? 'MLFLOW_TRACKING_URI must have no user and no password in it: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are for that'
    : null;
}

const experimentProblem = (experiment: string): string | null => {
  const [issue] = experimentName.safeParse(experiment).error?.issues ?? [];
  return issue ? `MLFLOW_EXPERIMENT_NAME ${issue.message}` : null;
};

/** The names in `EPOCHAL_TRACKERS`. Throws an Error with a sentence. */
export function readTrackers(text: string, env: NodeJS.ProcessEnv): TrackerName[] {
  const known = knownTrackers(env);
  const written = text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
  return [...new Set(written)].map((one) => {
    const name = trackerNames.find((tracker) => tracker === one);
    if (!name) throw new Error(`EPOCHAL_TRACKERS names ${JSON.stringify(one)}: must be ${trackerNames.join(', ')}`);
    const { problem } = known[name];
    if (problem !== null) throw new Error(`EPOCHAL_TRACKERS names ${name}, and ${problem}`);
    return name;
  });
}
