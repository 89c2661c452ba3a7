/** What a session begins with: a store and paths that it may use, the checkpoint that it goes on from, and its session file. */
import { randomUUID } from 'node:crypto';
import { isAbsolute } from 'node:path';
import type { Position } from '../contracts/checkpoint.ts';
import { type ConfigProblem, type Failure, failureSchema, problemSentence } from '../contracts/failure.ts';
import type { Life } from '../contracts/life.ts';
import { isProjectAddress } from '../contracts/project-address.ts';
import { type EarlyEnd, protocolVersion, type SessionFile, sessionFileSchema } from '../contracts/protocol.ts';
import type { Materials } from '../contracts/receipt-facts.ts';
import type { OpenSessionInput } from '../contracts/run-activities.ts';
import { checkpointPolicySchema, deadlinesSchema, type RunConfig } from '../contracts/run-config.ts';
import type { Session } from '../contracts/session.ts';
import { OtherStoreError, outputPath, StoreError } from '../stores/artifact-store.ts';
import { codeOf } from '../stores/file-errors.ts';
import type { AllowedPaths } from './allowed-paths.ts';
import { chooseResume, type Resume, removeLater } from './checkpoints.ts';
import { claimOutput } from './claims.ts';
import { containerProblems } from './container-checks.ts';
import { bringAlong, fetchStart, startedFrom } from './continue-from.ts';
import { DataSetProblem } from './data-sets.ts';
import { deadline } from './deadline.ts';
import { EngineProblem, whenEngineAnswers } from './engine-problem.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import type { ContainerLauncher } from './launchers/container.ts';
import type { Launch } from './launchers/launcher.ts';
import { pathParameters } from './path-parameters.ts';
import { type RunFolder, readIfThere, replaceFile } from './run-folders.ts';
import { parseJson, readReport, start } from './run-report.ts';
import { type LiveSession, SessionOver } from './session.ts';
import { removeSnapshots, takeSnapshot } from './snapshots.ts';
import type { Stores } from './stores.ts';
import type { SuperviselyProjects } from './supervisely/projects.ts';
import { imagePython, type TrainerCatalog, TrainerProblem, type TrainerProgram } from './trainer-catalog.ts';
import { type Waiting, whenItAnswers } from './when-it-answers.ts';

/** The session could not be opened, or ended by itself: the typed cause. */
export class SessionProblem extends Error {
  override readonly name = 'SessionProblem';
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

export interface OpenOptions {
  /** The work came by the pool's queue, so that a poll's permit becomes the slot. */
  byPermit: boolean;
  signal: AbortSignal;
  onProgress: (doing: string, counted?: { done: number; total: number }) => void;
}

export interface Start {
  resume: Resume;
  position: Position;
  keepProgress: boolean;
  /** Where it is another run's. */
  from: Materials['from'];
}

export interface SessionStartParts {
  /** Of this host. */
  id: string;
  trainers: TrainerCatalog;
  stores: Stores;
  allowedPaths: AllowedPaths;
  projects: SuperviselyProjects;
  /** Null: no trainer of this host is in one. */
  containers: Pick<ContainerLauncher, 'settings'> | null;
  /** A run's output folder is written by one at a time. */
  outputs: KeyedMutex;
}

/** What kept a session from being opened, as its run is told of it; what is not known to be that is left as it is. */
export function startProblem(error: unknown, host: string): unknown {
  const onHost = (kind: Failure['kind'], { message }: Error) =>
    new SessionProblem({ kind, message: `on ${host}, ${message}`.slice(0, 4000) });
  if (error instanceof TrainerProblem) return new SessionProblem(error.failure);
  if (error instanceof EngineProblem) return onHost(error.isMissing ? 'noContainer' : 'setUp', error);
  if (error instanceof OtherStoreError) return onHost('otherStore', error);
  if (isDiskFull(error)) return new SessionProblem(failureSchema.parse({ kind: 'dataDisk', message: String(error) }));
  return error;
}

export class SessionStart {
  readonly #host: SessionStartParts;

  constructor(parts: SessionStartParts) {
    this.#host = parts;
  }

  /**
   * Throws when another store is at the address of the run's, when this host may not open that, or when the output folder there is
   * another life's. One that is away may be the right one: who needs it waits for it, and who writes there asks again.
   */
  async requireStore(input: Pick<OpenSessionInput, 'run' | 'place' | 'config'>, life: Life): Promise<void> {
    // The run was checked where its store may be opened. A host with another default store is no reason to fail it.
    const outside = await this.#host.allowedPaths.storeProblems(input.config);
    if (outside.length > 0) throw new SessionProblem({ kind: 'otherStore', message: this.#refusal(outside) });
    const { run, place, config } = input;
    const store = await this.#host.stores.of(config);
    await claimOutput(store, outputPath(config.project, place), run, life).catch((error) => {
      if (error instanceof OtherStoreError || !(error instanceof StoreError)) throw error;
    });
  }

  /**
   * What the trainer runs in: a Python of this host, or an image. A pool's hosts may each allow other paths, images and limits than the one that
   * checked the configuration. Waits for an engine that does not answer.
   */
  async prepare(
    program: TrainerProgram,
    config: RunConfig,
    options: OpenOptions,
  ): Promise<{ image: Launch['image']; python: string }> {
    const { trainers, containers, allowedPaths } = this.#host;
    const asked = { ...options, image: config.image };
    const name = await trainers.imageOf(program, config.image);
    const ofContainers = containerProblems(config, name, containers?.settings ?? null);
    if (ofContainers.length > 0) throw new SessionProblem({ kind: 'setUp', message: this.#refusal(ofContainers) });
    const id = name === null ? null : await whenEngineAnswers(options, () => trainers.imageId(program, name));
    const python = id === null ? await trainers.environment(program, asked) : imagePython;
    const manifest = await whenEngineAnswers(options, () => trainers.describe(program, asked));
    const problems = await allowedPaths.problems(config, manifest, program.file);
    if (problems.length > 0) throw new SessionProblem({ kind: 'setUp', message: this.#refusal(problems) });
    return { image: name === null || id === null ? null : { name, id }, python };
  }

  /** What it may read of this host: its data set, and the paths among its parameters. Relative ones are the trainer's own. */
  async reads(
    program: TrainerProgram,
    config: RunConfig,
    data: string | null,
    options: OpenOptions,
  ): Promise<string[]> {
    const { parameters } = await this.#host.trainers.describe(program, { ...options, image: config.image });
    const paths = pathParameters(parameters, config.parameters).map(({ value }) => value);
    return [...(data === null ? [] : [data]), ...paths].filter((path) => isAbsolute(path));
  }

  /** What the trainer is to read: a project that is not here yet is downloaded first. */
  async data({ data }: RunConfig, options: OpenOptions): Promise<string | null> {
    if (!isProjectAddress(data)) return data ?? null;
    try {
      const get = () => this.#host.projects.get(data, options);
      return (await whenStoreAnswers(options, get, 'the Supervisely server')).path;
    } catch (error) {
      if (!(error instanceof DataSetProblem)) throw error;
      const message = this.#refusal([{ field: 'data', value: JSON.stringify(data), message: error.message }]);
      throw new SessionProblem({ kind: 'setUp', message });
    }
  }

  #refusal(problems: readonly ConfigProblem[]): string {
    return `on ${this.#host.id}, ${problems.map(problemSentence).join('; ')}`.slice(0, 4000);
  }

  async resume(input: OpenSessionInput, folder: RunFolder, { signal, onProgress }: OpenOptions): Promise<Start | null> {
    const { place, config, ledger, previous, notAfter } = input;
    const store = await this.#host.stores.of(config);
    const output = outputPath(config.project, place);
    const verified = await takeSnapshot({ folder, ledger, previous, notAfter, signal, onProgress });
    const request = { folder, ledger, previous, notAfter, verified, store, output, signal, onProgress };
    const choose = () =>
      whenStoreAnswers({ signal, onProgress }, async () => {
        const chosen = await chooseResume(request);
        const from = chosen?.manifest ?? start;
        await removeLater(folder, from, store, output);
        return { resume: chosen, position: from };
      });
    // Who goes back before the newest checkpoint may go back to what is removed once that is stored.
    const { resume, position } = await (notAfter ? this.#host.outputs.runExclusive(place, signal, choose) : choose());
    await removeSnapshots(folder);
    if (resume) return { resume, position, keepProgress: true, from: null };
    if (!config.continueFrom) return null;
    onProgress(`fetch the checkpoint to continue from, in ${config.continueFrom.outputFolder}`);
    const { continueFrom, trainer } = config;
    const { keepProgress } = continueFrom;
    const fetched = await (keepProgress
      ? bringAlong(continueFrom, config, folder, signal)
      : fetchStart(continueFrom, trainer, folder, signal));
    const from = await startedFrom(continueFrom, fetched.manifest);
    return { resume: fetched, position: keepProgress ? fetched.manifest : start, keepProgress, from };
  }
}

/** A run cannot go on without knowing what is there. */
function whenStoreAnswers<T>(waiting: Waiting, work: () => Promise<T>, whom = 'the store'): Promise<T> {
  return whenItAnswers(waiting, work, whom, isStoreAway);
}

/** Where a checkpoint does not fit on this host another one may have the room. */
const isStoreAway = (error: unknown): boolean =>
  error instanceof StoreError && error.retryable && !isDiskFull(error) && !(error instanceof OtherStoreError);

/**
 * Whether the run gets back the session that it had. Also one that is over, where the run gave it up and has not seen its end: it is
 * asked as if it had never been given up, and tells how it ended. One that this host ended itself has nothing more to tell.
 */
export const isWanted = (live: LiveSession, { previous, notAfter, unseen }: OpenSessionInput): boolean =>
  live.id === previous?.id &&
  notAfter === null &&
  !live.preempted &&
  !live.isAbandoned &&
  (!live.isOver || unseen === true);

/** As its run calls it. A request that comes twice, for a server gave its first attempt up, may have opened that one already. */
export async function sessionName(
  { next }: OpenSessionInput,
  folder: RunFolder,
): Promise<Pick<Session, 'id' | 'generation'>> {
  const text = await readIfThere(folder.session);
  const before = text === null ? null : parseJson(sessionFileSchema, text);
  return next && next.id !== before?.session ? next : { ...next, id: randomUUID() };
}

/** Also says whether a session before has ended early, as its run or its folder tells. */
export async function writeSessionFile(
  input: OpenSessionInput,
  session: LiveSession,
  from: Start | null,
  { data, socket }: { data: string | null; socket: string },
): Promise<void> {
  const { known, previous } = input;
  const told = await readReport(session.folder, known, previous?.id ?? null);
  const endedEarly = told.endedEarly ?? input.endedEarly ?? null;
  const file = sessionFile(input, session, from, { endedEarly, data, socket });
  await replaceFile(session.folder.session, JSON.stringify(file), 0o600);
}

export const sessionFile = (
  input: OpenSessionInput,
  session: Pick<Session, 'id' | 'generation'> & { folder: RunFolder },
  from: Start | null,
  { endedEarly, data, socket }: { endedEarly: EarlyEnd | null; data: string | null; socket: string },
): SessionFile => ({
  protocol: protocolVersion,
  run: input.run,
  session: session.id,
  generation: session.generation,
  runFolder: session.folder.path,
  epochs: input.config.epochs,
  endsAfter: endedEarly?.epoch ?? null,
  parameters: input.config.parameters,
  data,
  seed: input.config.seed,
  everyBatches: input.config.checkpoints.everyBatches,
  resumeFrom: from?.resume.path ?? null,
  keepProgress: from?.keepProgress ?? true,
  batchDivisor: input.batchDivisor,
  snapshots: snapshotsOf(input.config),
  socket,
  reattachSeconds: reattachSecondsOf(input.config),
});

/** Runs of old do not tell. */
export const reattachSecondsOf = ({ deadlines }: RunConfig): number =>
  deadlinesSchema.shape.reattachSeconds.parse(deadlines.reattachSeconds);

/** Runs of old do not tell. */
const snapshotsOf = ({ checkpoints }: RunConfig) => checkpointPolicySchema.shape.snapshots.parse(checkpoints.snapshots);

/** Also where what the store has did not fit here. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof StoreError
    ? ['ENOSPC', 'EDQUOT'].includes(codeOf(error.cause) ?? '')
    : ['ENOSPC', 'EROFS', 'EDQUOT'].includes(codeOf(error) ?? '');

/** Throws SessionOver when it is over before, also by the limit: then it was a hang. One that tells how far it is moves. */
export async function untilReady(session: LiveSession, seconds: number, signal: AbortSignal): Promise<void> {
  const left = () => seconds * 1000 - (performance.now() - session.progress.setUpMovedAt);
  while (left() > 0) {
    const limit = deadline(left(), signal);
    try {
      return await session.waitReady(limit);
    } catch (error) {
      if (error !== limit.reason || signal.aborted) throw error;
    }
  }
  await session.endHang(`not ready after ${seconds} s (deadlines.setUpSeconds); its stacks are in its log`);
  throw new SessionOver('it hung while it set up');
}
