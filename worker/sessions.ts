/** The sessions of this host: opens them, finds them again, hands them over. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Position } from '../contracts/checkpoint.ts';
import { type ConfigProblem, type Failure, failureSchema, problemSentence } from '../contracts/failure.ts';
import { isSameLife, type Life, type Owner } from '../contracts/life.ts';
import { type EarlyEnd, protocolVersion, type SessionFile } from '../contracts/protocol.ts';
import type { OpenedSession, OpenSessionInput } from '../contracts/run-activities.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { OtherStoreError, outputPath, StoreError } from '../stores/artifact-store.ts';
import { codeOf } from '../stores/file-errors.ts';
import type { AllowedPaths } from './allowed-paths.ts';
import { chooseResume, type Resume, removeLater, storeCheckpoint } from './checkpoints.ts';
import { claimFolder, claimOutput, goesOn, OtherLife, requireFolder } from './claims.ts';
import type { ClosedRuns } from './closed-runs.ts';
import { bringAlong, fetchStart } from './continue-from.ts';
import type { Devices } from './devices.ts';
import { type EndLimits, endTrainer } from './end-trainer.ts';
import type { Launcher } from './launchers/launcher.ts';
import { endPredecessor } from './predecessor.ts';
import { type RunFolder, type RunFolders, replaceFile } from './run-folders.ts';
import { readManifests, readReport, start } from './run-report.ts';
import type { Runs } from './runs.ts';
import { LiveSession, SessionOver } from './session.ts';
import type { Slots } from './slots.ts';
import type { Stores } from './stores.ts';
import { type TrainerCatalog, TrainerProblem, type TrainerProgram } from './trainer-catalog.ts';
import type { Turns } from './turns.ts';

/** The session could not be opened, or ended by itself: the typed cause. */
export class SessionProblem extends Error {
  override readonly name = 'SessionProblem';
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

export class NoFreeSlot extends Error {
  override readonly name = 'NoFreeSlot';
}

export interface OpenOptions {
  /** The work came by the pool's queue, so that a poll's permit becomes the slot. */
  byPermit: boolean;
  signal: AbortSignal;
  onProgress: (doing: string, counted?: { done: number; total: number }) => void;
}

/** What sessions work with. */
export interface SessionsParts {
  /** Of this host. */
  id: string;
  sessionIdleSeconds: number;
  log: Logger;
  devices: Devices;
  folders: RunFolders;
  trainers: TrainerCatalog;
  slots: Slots;
  launcher: Launcher;
  stores: Stores;
  allowedPaths: AllowedPaths;
  /** A run's output folder is written by one at a time. */
  outputs: Turns;
  runs: Runs;
  closedRuns: ClosedRuns;
}

/** A session is spoken to several times a second while its run is there, in milliseconds. */
const idleCheckEvery = 3_000;

/** How long a session that was drained waits for its run to ask what became of it, in milliseconds. */
const tellMs = 10_000;

export class Sessions {
  /** By place. */
  readonly #live = new Map<string, LiveSession>();
  readonly #host: SessionsParts;
  readonly #log: Logger;

  constructor(parts: SessionsParts) {
    this.#host = parts;
    this.#log = parts.log;
  }

  /** The session at this place, over or not, if it was opened by this worker and is still remembered. */
  find(place: string, session: string): LiveSession | null {
    const found = this.#live.get(place);
    return found?.id === session ? found : null;
  }

  /** The same for whose session it has to be. Throws OtherLife. */
  async findOwn({ place, chain }: Owner, session: string): Promise<LiveSession | null> {
    const found = this.find(place, session);
    if (!found) return null;
    const life = this.#host.runs.life(chain);
    if (!isSameLife(found.life, life)) throw new OtherLife(found.folder.path, found.life);
    await this.#note(found, life);
    return found;
  }

  /** A session outlives many executions of its run: it keeps to the one that spoke to it last, here and in its folder. */
  async #note(session: LiveSession, life: Life): Promise<void> {
    if (!goesOn(session.life, life)) return;
    await requireFolder(session.folder, life);
    session.life = life;
  }

  /** Runs whose trainer runs here. */
  get runs(): string[] {
    return [...this.#live.values()].filter((session) => !session.isOver).map(({ run }) => run);
  }

  /** Runs whose trainer ran here last, as far as this host knows: what they have to land lies here. */
  get own(): string[] {
    return [...this.#live.values()].filter(({ preempted }) => !preempted).map(({ run }) => run);
  }

  isLive(place: string): boolean {
    return this.#live.get(place)?.isOver === false;
  }

  /**
   * Opens a session, or finds the one that runs. Throws NoFreeSlot, SessionProblem, or the signal's reason; then
   * nothing of what it began is left.
   */
  async open(input: OpenSessionInput, options: OpenOptions): Promise<OpenedSession> {
    const { run, place, previous } = input;
    const life = this.#host.runs.life(input.chain);
    const log = this.#log.child({ run });
    const folder = this.#host.folders.of(place);
    await requireFolder(folder, life);
    const live = this.#live.get(place);
    if (live && !live.isOver) {
      if (live.id === previous?.id && !live.preempted && input.notAfter === null) {
        log.info('the session still runs: attached again');
        live.spokenTo();
        await this.#note(live, life);
        return {
          session: live.description,
          report: await readReport(live.folder, input.known, live.id),
          attached: true,
        };
      }
      options.onProgress('wait for the session before to end');
      await endTrainer(live.ending, input.config.deadlines, options.signal);
    }
    const slot = this.#host.slots.take(run, options.byPermit);
    if (!slot) throw new NoFreeSlot(`all ${this.#host.slots.total} slots of ${this.#host.id} are taken`);
    let begun: LiveSession | null = null;
    try {
      await this.#requireStore(input, life);
      await this.#host.folders.make(place);
      // First of all: whatever kills this worker from here on, who finds the folder knows where its run lands.
      await claimFolder(folder, input, this.#host.id, life);
      options.onProgress('wait for the trainer before to end');
      await endPredecessor(folder, input.config.deadlines, options.signal, log);
      const program = await this.#host.trainers.find(input.config.trainer);
      if (!program)
        throw new SessionProblem({ kind: 'setUp', message: `no trainer ${input.config.trainer} on ${this.#host.id}` });
      options.onProgress('prepare the Python environment');
      const gpuMemory = this.#host.devices.memory(slot, this.#host.slots.total);
      const python = await this.#host.trainers.environment(program, options);
      await this.#requireAllowed(program, input.config, options);
      const resume = await this.#resume(input, folder, options);
      const position = resume?.position ?? start;
      begun = new LiveSession({
        run,
        host: this.#host.id,
        folder,
        life,
        config: input.config,
        startEpoch: position.epoch,
        log,
      });
      this.#live.set(place, begun);
      const { endedEarly = input.endedEarly ?? null } = await readReport(folder, input.known, previous?.id ?? null);
      await replaceFile(folder.session, JSON.stringify(sessionFile(input, begun, resume, endedEarly)));
      options.onProgress('start the trainer');
      begun.attach(
        await this.#host.launcher.start(
          {
            ...{ program, python, folder, session: begun.id, limits: input.config.deadlines },
            environment: this.#host.devices.environment(slot, this.#host.slots.total),
          },
          begun.listener,
        ),
        await gpuMemory,
      );
      void begun.over.then(() => this.#host.slots.give(slot));
      void this.#endWhenIdle(begun).catch((error) =>
        log.error({ err: error }, 'an idle session is not watched any more'),
      );
      options.onProgress('the trainer sets up');
      begun.onSetUp = options.onProgress;
      await untilReady(begun, input.config.deadlines.setUpSeconds, options.signal);
      // The trainer has cut metrics.jsonl to its start by now, so that the report tells what counts.
      return { session: begun.description, report: await readReport(folder, input.known, previous?.id ?? null) };
    } catch (error) {
      if (begun?.started) {
        begun.kill();
        await begun.over;
      } else {
        if (begun) this.#live.delete(place);
        this.#host.slots.give(slot);
      }
      throw await this.#problem(error, begun, input, options.signal);
    }
  }

  /**
   * Throws when another store is at the address of the run's, when this host may not open that, or when the output folder there is
   * another life's. One that is away may be the right one: who needs it waits for it, and who writes there asks again.
   */
  async #requireStore(input: OpenSessionInput, life: Life): Promise<void> {
    // The run was checked where its store may be opened. A host with another default store is no reason to fail it.
    const outside = await this.#host.allowedPaths.storeProblems(input.config);
    if (outside.length > 0) throw new SessionProblem({ kind: 'otherStore', message: this.#refusal(outside) });
    const { run, place, config } = input;
    const store = await this.#host.stores.of(config);
    await claimOutput(store, outputPath(config.project, place), run, life).catch((error) => {
      if (error instanceof OtherStoreError || !(error instanceof StoreError)) throw error;
    });
  }

  /** A pool's hosts may each allow other paths than the one that checked the configuration. */
  async #requireAllowed(program: TrainerProgram, config: RunConfig, options: OpenOptions): Promise<void> {
    const manifest = await this.#host.trainers.describe(program, options);
    const problems = await this.#host.allowedPaths.problems(config, manifest, program.file);
    if (problems.length === 0) return;
    throw new SessionProblem({ kind: 'setUp', message: this.#refusal(problems) });
  }

  #refusal(problems: readonly ConfigProblem[]): string {
    return `on ${this.#host.id}, ${problems.map(problemSentence).join('; ')}`.slice(0, 4000);
  }

  async #resume(
    input: OpenSessionInput,
    folder: RunFolder,
    { signal, onProgress }: OpenOptions,
  ): Promise<Start | null> {
    const { place, config, ledger, previous, notAfter } = input;
    const store = await this.#host.stores.of(config);
    const output = outputPath(config.project, place);
    const choose = () =>
      whenStoreAnswers({ signal, onProgress }, async () => {
        const chosen = await chooseResume({ folder, ledger, previous, notAfter, store, output, signal, onProgress });
        const from = chosen?.manifest ?? start;
        await removeLater(folder, from, store, output);
        return { resume: chosen, position: from };
      });
    // Who goes back before the newest checkpoint may go back to what is removed once that is stored.
    const { resume, position } = await (notAfter ? this.#host.outputs.take(place, signal, choose) : choose());
    if (resume) return { resume, position, keepProgress: true };
    if (!config.continueFrom) return null;
    onProgress(`fetch the checkpoint to continue from, in ${config.continueFrom.outputFolder}`);
    const { continueFrom, trainer } = config;
    const { keepProgress } = continueFrom;
    const fetched = await (keepProgress
      ? bringAlong(continueFrom, config, folder, signal)
      : fetchStart(continueFrom, trainer, folder, signal));
    return { resume: fetched, position: keepProgress ? fetched.manifest : start, keepProgress };
  }

  /** What went wrong, told as well as it can be: the trainer's own word goes before the exception that we saw. */
  async #problem(
    error: unknown,
    begun: LiveSession | null,
    input: OpenSessionInput,
    signal: AbortSignal,
  ): Promise<unknown> {
    signal.throwIfAborted();
    if (error instanceof SessionOver && begun) {
      const { failure } = await begun.end(input.known);
      return new SessionProblem(failure ?? { kind: 'trainerError', message: 'the trainer ended before it was ready' });
    }
    if (error instanceof TrainerProblem) return new SessionProblem(error.failure);
    if (error instanceof OtherStoreError) {
      return new SessionProblem({
        kind: 'otherStore',
        message: `on ${this.#host.id}, ${error.message}`.slice(0, 4000),
      });
    }
    if (isDiskFull(error)) return new SessionProblem(failureSchema.parse({ kind: 'dataDisk', message: String(error) }));
    return error;
  }

  /** A session that no run speaks to for long is nobody's: it checkpoints, ends and frees its slot. */
  async #endWhenIdle(session: LiveSession): Promise<void> {
    const limit = this.#host.sessionIdleSeconds * 1000;
    while (!session.isOver) {
      await Promise.race([session.over, delay(Math.min(limit, idleCheckEvery), undefined, { ref: false })]);
      if (session.isOver || session.idleMs < idleCheckEvery) continue;
      // Between two activities a run may be closed from outside, and none is left to be forsaken.
      if (await this.endIfOver(session)) return;
      // The run has given this host up, and may be waiting for the very slot that its session holds.
      const isGivenUp = await this.#host.runs.waitsForHost(session.run).catch(() => false);
      if (!isGivenUp && session.idleMs < limit) continue;
      session.log.warn({ isGivenUp }, 'its run does not ask for anything any more: the session is ended');
      await endTrainer(session.ending, { ...session.config.deadlines, stopSeconds: limit / 1000 });
    }
  }

  /**
   * A session that its activity was forsaken for: when its run was terminated, reset or deleted, nobody will ask for it
   * again, and it ends at its batch boundary. A run that is open comes back for it: false. One that has landed elsewhere
   * gets nothing from here any more; upkeep removes its folder.
   */
  async endIfOver(session: LiveSession): Promise<boolean> {
    const { runs, closedRuns } = this.#host;
    const { folder, config } = session;
    if (session.isOver || (await runs.isOpen(session.run, session.life).catch(() => true))) return false;
    session.ask('batch');
    // A store that is unavailable cannot tell: the salvage asks again, when it is back.
    if (await closedRuns.isSuperseded(folder, config).catch(() => false)) {
      session.log.warn('the run went on elsewhere and has landed there: its trainer here is stopped');
      await this.endRun(folder.place, config.deadlines, new AbortController().signal);
      return true;
    }
    session.log.warn('the run was closed from outside: its trainer is stopped, and what it left is salvaged');
    await closedRuns.salvage(folder);
    return true;
  }

  /** Ends the session at this place, whoever opened it, gently first. Nothing to end is no error. */
  async endRun(place: string, limits: EndLimits, signal: AbortSignal): Promise<void> {
    const live = this.#live.get(place);
    if (live && !live.isOver) await endTrainer(live.ending, limits, signal);
  }

  /** The worker goes down: every trainer checkpoints at its batch boundary, and the store gets what another host needs. */
  async drain(graceSeconds: number): Promise<void> {
    this.#host.slots.close();
    const sessions = [...this.#live.values()].filter((session) => !session.isOver);
    await Promise.all(
      sessions.map(async (session) => {
        session.preempted = true;
        await endTrainer(session.ending, { stopSeconds: graceSeconds, terminateSeconds: 0 });
        // Between two epochs nobody is told at once: the work that will be is on its way here.
        await Promise.race([session.told, delay(tellMs, undefined, { ref: false })]);
      }),
    );
  }

  /** At once: a second signal. */
  killAll(): void {
    for (const session of this.#live.values()) if (!session.isOver) session.kill();
  }

  /** The newest checkpoint, put into the store for a host that takes the run over. */
  async storeNewest(input: { place: string; config: OpenSessionInput['config'] }, signal: AbortSignal): Promise<void> {
    const folder = this.#host.folders.of(input.place);
    const newest = (await readManifests(folder)).at(-1);
    if (!newest) return;
    const store = await this.#host.stores.of(input.config);
    await storeCheckpoint(folder, newest, store, outputPath(input.config.project, input.place), { signal });
  }

  forget(place: string): void {
    if (!this.isLive(place)) this.#live.delete(place);
  }
}

/**
 * Tries again for as long as the store is away. A run cannot go on without knowing what is there, and an outage of the
 * store is no failure of the training, to be counted.
 */
async function whenStoreAnswers<T>(
  { signal, onProgress }: Pick<OpenOptions, 'signal' | 'onProgress'>,
  work: () => Promise<T>,
): Promise<T> {
  for (let seconds = 1; ; seconds = Math.min(seconds * 2, 30)) {
    try {
      return await work();
    } catch (error) {
      // Where a checkpoint does not fit on this host another one may have the room.
      if (!(error instanceof StoreError && error.retryable) || isDiskFull(error) || error instanceof OtherStoreError)
        throw error;
      onProgress(`wait for the store: ${error.message}`);
      await delay(seconds * 1000, undefined, { signal });
    }
  }
}

/** Throws SessionOver when it is over before, also by the limit: then it was a hang. */
async function untilReady(session: LiveSession, seconds: number, signal: AbortSignal): Promise<void> {
  if (await session.becomesReady(seconds, signal)) return;
  await session.endHang(`not ready after ${seconds} s (deadlines.setUpSeconds); its stacks are in its log`);
  throw new SessionOver('it hung while it set up');
}

interface Start {
  resume: Resume;
  position: Position;
  keepProgress: boolean;
}

const sessionFile = (
  input: OpenSessionInput,
  session: LiveSession,
  from: Start | null,
  endedEarly: EarlyEnd | null,
): SessionFile => ({
  protocol: protocolVersion,
  run: input.run,
  session: session.id,
  runFolder: session.folder.path,
  epochs: input.config.epochs,
  endsAfter: endedEarly?.epoch ?? null,
  parameters: input.config.parameters,
  data: input.config.data ?? null,
  seed: input.config.seed,
  everyBatches: input.config.checkpoints.everyBatches,
  resumeFrom: from?.resume.path ?? null,
  keepProgress: from?.keepProgress ?? true,
  batchDivisor: input.batchDivisor,
});

/** Also where what the store has did not fit here. */
const isDiskFull = (error: unknown): boolean =>
  error instanceof StoreError
    ? ['ENOSPC', 'EDQUOT'].includes(codeOf(error.cause) ?? '')
    : ['ENOSPC', 'EROFS', 'EDQUOT'].includes(codeOf(error) ?? '');
