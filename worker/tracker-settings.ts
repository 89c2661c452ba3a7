/** What a worker's environment says of trackers. Every tracker reads the variables of its own client, and `EPOCHAL_TRACKERS` names those of runs that choose none. */
import { existsSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFolder } from '../contracts/package-folder.ts';
import { experimentName, ownTrackerName, type TrackerName, wandbName } from '../contracts/trackers.ts';

/** Where their programs are, and what these have in common. */
const programs = fileURLToPath(new URL('observers/trackers', packageFolder));

export interface KnownTracker {
  /** Its program. */
  file: string;
  /** Why this worker cannot tell it; null: it can. */
  problem: string | null;
  /** Of runs that name none; null: their project. */
  experiment: string | null;
  /** Of W&B alone: of runs that name none; undefined: as the key says. */
  entity?: string | undefined;
  /** Of its program, besides what any program may see. */
  environment: NodeJS.ProcessEnv;
}

/** Throws an Error with a sentence where `EPOCHAL_TRACKER_FILES` does not hold. */
export const knownTrackers = (env: NodeJS.ProcessEnv): ReadonlyMap<TrackerName, KnownTracker> =>
  new Map<TrackerName, KnownTracker>([['mlflow', mlflow(env)], ['wandb', wandb(env)], ...ownTrackers(env)]);

/** Files of the workers' own. Each gets the variables that begin with its name: `comet_tracker.py` those that begin with `COMET_`. */
const ownTrackers = (env: NodeJS.ProcessEnv): [TrackerName, KnownTracker][] =>
  listed(env.EPOCHAL_TRACKER_FILES ?? '').map((file) => {
    const name = /^(.*)_tracker\.py$/.exec(basename(file))?.[1];
    const { success } = ownTrackerName.safeParse(name);
    if (!isAbsolute(file) || !success || name === undefined)
      throw new Error(
        `EPOCHAL_TRACKER_FILES names ${JSON.stringify(file)}: must be absolute paths of files NAME_tracker.py, each NAME of lower-case letters and digits and not that of a tracker that comes with Epochal`,
      );
    const own = Object.entries(env).filter(([variable]) => variable.startsWith(`${name.toUpperCase()}_`));
    // `import tracker` finds what trackers have in common.
    const environment = { ...Object.fromEntries(own), PYTHONPATH: programs };
    const problem = existsSync(file) ? null : `there is no file ${file}`;
    return [name, { file, problem, experiment: null, environment }];
  });

const listed = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);

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
    file: `${programs}/mlflow_tracker.py`,
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

/** Where its server is, and who asks. What its client reads of a run (its id, name, sweep, …) would go before what it is told of each. */
const ofWandb =
  /^WANDB_(API_KEY|BASE_URL|APP_URL|HTTP_TIMEOUT|MODE|DIR|IDENTITY_TOKEN_FILE|CREDENTIALS_FILE|INSECURE_DISABLE_SSL|X_EXTRA_HTTP_HEADERS)$/;

function wandb(env: NodeJS.ProcessEnv): KnownTracker {
  const given = Object.fromEntries(Object.entries(env).filter(([name, value]) => value && ofWandb.test(name)));
  const [project, entity] = [env.WANDB_PROJECT || null, env.WANDB_ENTITY || null];
  const problems = [
    given.WANDB_MODE === 'offline' ? offlineProblem(given) : onlineProblem(given),
    wandbNameProblem('WANDB_PROJECT', project),
    wandbNameProblem('WANDB_ENTITY', entity),
  ];
  return {
    file: `${programs}/wandb_tracker.py`,
    problem: problems.find((one) => one !== null) ?? null,
    experiment: project,
    ...(entity === null ? {} : { entity }),
    // Errors of its client go to nobody.
    environment: { ...given, WANDB_ERROR_REPORTING: 'false', WANDB_SILENT: 'true' },
  };
}

/** Resumed by whichever worker, a run is the same file again: so a folder that all of them have, or each has a part. */
const offlineProblem = ({ WANDB_DIR: folder = '' }: NodeJS.ProcessEnv): string | null =>
  isAbsolute(folder) ? null : 'WANDB_MODE is offline, and WANDB_DIR is not the absolute path of a folder';

function onlineProblem(env: NodeJS.ProcessEnv): string | null {
  const { WANDB_MODE: mode, WANDB_BASE_URL: address } = env;
  if (mode !== undefined && mode !== 'online') return 'WANDB_MODE must be online or offline';
  if (address !== undefined && !/^https?:\/\/[^/@]+(\/[^@]*)?$/.test(address))
    return 'WANDB_BASE_URL must be the http or https address of a server, with no user and no password in it';
  return env.WANDB_API_KEY || env.WANDB_IDENTITY_TOKEN_FILE ? null : 'WANDB_API_KEY is not set';
}

const wandbNameProblem = (variable: string, value: string | null): string | null => {
  const [issue] = value === null ? [] : (wandbName.safeParse(value).error?.issues ?? []);
  return issue ? `${variable} ${issue.message}` : null;
};

/** The names in `EPOCHAL_TRACKERS`. Throws an Error with a sentence. */
export function readTrackers(text: string, env: NodeJS.ProcessEnv): TrackerName[] {
  const known = knownTrackers(env);
  return [...new Set(listed(text))].map((name) => {
    const tracker = known.get(name);
    if (!tracker)
      throw new Error(`EPOCHAL_TRACKERS names ${JSON.stringify(name)}: must be ${[...known.keys()].join(', ')}`);
    if (tracker.problem !== null) throw new Error(`EPOCHAL_TRACKERS names ${name}, and ${tracker.problem}`);
    return name;
  });
}
