/** The sessions of this host: opens them, finds them again, hands them over. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isSameLife, type Life, type Owner } from '../contracts/life.ts';
import type { OpenedSession, OpenSessionInput } from '../contracts/run-activities.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { trainerTrace } from '../contracts/trace.ts';
import { outputPath } from '../stores/artifact-store.ts';
import { storeCheckpoint } from './checkpoints.ts';
import { claimFolder, goesOn, OtherLife, requireFolder } from './claims.ts';
import type { ClosedRuns } from './closed-runs.ts';
import { withLimits } from './container-settings.ts';
import { type Devices, noGpus } from './devices.ts';
import { type EndLimits, endTrainer } from './end-trainer.ts';
import { whenEngineAnswers } from './engine-problem.ts';
import type { LeftSession } from './found-sessions.ts';
import { endWhenIdle } from './idle-session.ts';
import type { Launch, Launcher } from './launchers/launcher.ts';
import { endPredecessor } from './predecessor.ts';
import type { RunFolders } from './run-folders.ts';
import { readManifests, readReport } from './run-report.ts';
import type { Runs } from './runs.ts';
import { LiveSession, SessionOver } from './session.ts';
import type { SessionSockets } from './session-sockets.ts';
import {
  isWanted,
  type OpenOptions,
  reattachSecondsOf,
  SessionProblem,
  SessionStart,
  type SessionStartParts,
  sessionName,
  startProblem,
  untilReady,
  writeSessionFile,
} from './session-start.ts';
import type { Lease, Slots } from './slots.ts';
import { storePages } from './stored-pages.ts';
import { storeOtherRows } from './stored-rows.ts';
import { keepMaterials } from './trainer-materials.ts';

export class NoFreeSlot extends Error {
  override readonly name = 'NoFreeSlot';
}

/** What sessions work with. */
export interface SessionsParts extends SessionStartParts {
  sessionIdleSeconds: number;
  log: Logger;
  devices: Devices;
  folders: RunFolders;
  slots: Slots;
  launcher: Launcher;
  sockets: SessionSockets;
  runs: Runs;
  closedRuns: ClosedRuns;
}

/** How long a worker that starts waits for the store of a session that it finds, in milliseconds. */
const storeAnswerMs = 5_000;

/** How long a session that was drained waits for its run to ask what became of it, in milliseconds. */
const tellMs = 10_000;

export class Sessions {
  /** By place. */
  readonly #live = new Map<string, LiveSession>();
  readonly #host: SessionsParts;
  readonly #log: Logger;
  readonly #start: SessionStart;

  constructor(parts: SessionsParts) {
    this.#host = parts;
    this.#start = new SessionStart(parts);
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

  /** Runs whose trainers had done all there was to do, as they were told: they are published from here. */
  get finished(): string[] {
    return [...this.#live.values()].filter(({ hasFinished }) => hasFinished).map(({ run }) => run);
  }

  /** Of the session that has gone without a word from its run for longest; null while there is none. */
  get longestIdleMs(): number | null {
    const idle = [...this.#live.values()].flatMap((session) => (session.isOver ? [] : session.idleMs));
    return idle.length > 0 ? Math.max(...idle) : null;
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
    if (live && isWanted(live, input)) {
      log.info({ isOver: live.isOver }, 'the session is still here: attached again');
      live.touch();
      await this.#note(live, life);
      const report = await readReport(live.folder, input.known, live.id);
      return { session: live.description, report, attached: true };
    }
    if (live && !live.isOver) {
      options.onProgress('wait for the session before to end');
      await endTrainer(live.ending, input.config.deadlines, options.signal);
    }
    const lease = this.#host.slots.reserve(run, options.byPermit);
    if (!lease) throw new NoFreeSlot(`all ${this.#host.slots.total} slots of ${this.#host.id} are taken`);
    let begun: LiveSession | null = null;
    try {
      await this.#start.requireStore(input, life);
      await this.#host.folders.make(place);
      // First of all: whatever kills this worker from here on, who finds the folder knows where its run lands.
      await claimFolder(folder, input, this.#host.id, life);
      options.onProgress('wait for the trainer before to end');
      await endPredecessor(folder, input.config.deadlines, options.signal, log);
      const program = await this.#host.trainers.find(input.config.trainer);
      if (!program)
        throw new SessionProblem({ kind: 'setUp', message: `no trainer ${input.config.trainer} on ${this.#host.id}` });
      options.onProgress('prepare the Python environment');
      const gpuMemory = this.#host.devices.memory(lease, this.#host.slots.total);
      const { image, python } = await this.#start.prepare(program, input.config, options);
      const data = await this.#start.data(input.config, options);
      const resume = await this.#start.resume(input, folder, options);
      begun = new LiveSession({
        run,
        host: this.#host.id,
        folder,
        life,
        config: input.config,
        startEpoch: resume?.position.epoch ?? 0,
        log,
        name: await sessionName(input, folder),
        diskBytes: image === null ? null : this.#diskBytes(input.config),
      });
      this.#live.set(place, begun);
      const socket = await this.#host.sockets.pathOf(begun.id, image !== null);
      const materials = await keepMaterials(folder, program, resume?.from ?? null, {
        ...{ python: image === null ? python : null, image: image?.id ?? null, driver: this.#host.devices.driver },
        config: input.config,
      });
      await writeSessionFile(input, begun, resume, { data, socket });
      const memoryBefore = await gpuMemory;
      options.onProgress('start the trainer');
      const launch: Launch = {
        ...{ program, image, python, folder, session: begun.id, socket, limitsAsked: input.config.limits },
        limits: { ...input.config.deadlines, reattachSeconds: reattachSecondsOf(input.config) },
        environment: trainerTrace(input.chain, begun.id, process.env),
        devices: this.#host.devices.of(lease, this.#host.slots.total),
        reads: image === null ? [] : await this.#start.reads(program, input.config, data, options),
      };
      const trainer = await whenEngineAnswers(options, () => this.#host.launcher.start(lease, launch));
      begun.attach(trainer, socket, {
        memory: memoryBefore,
        watch: this.#host.devices.watch(lease, this.#host.slots.total),
      });
      this.#watch(begun, lease);
      options.onProgress('the trainer sets up');
      begun.progress.onSetUp = options.onProgress;
      await untilReady(begun, input.config.deadlines.setUpSeconds, options.signal);
      // The trainer has cut metrics.jsonl to its start by now, so that the report tells what counts.
      const report = await readReport(folder, input.known, previous?.id ?? null);
      return { session: begun.description, report, materials };
    } catch (error) {
      if (begun?.started) {
        begun.kill();
        await begun.over;
      } else {
        if (begun) this.#live.delete(place);
        lease.release();
      }
      throw await this.#problem(error, begun, input, options.signal);
    }
  }

  /** What the run folder may take of a session in a container; null: what there is. */
  #diskBytes({ limits }: RunConfig): number | null {
    const { containers } = this.#host;
    return containers && withLimits(containers.settings, limits).diskBytes;
  }

  #watch(session: LiveSession, lease: Lease | null): void {
    if (lease) void session.over.then(() => lease.release());
    const isOver = () => this.endIfOver(session);
    void endWhenIdle(session, this.#host, isOver).catch((error) =>
      session.log.error({ err: error }, 'an idle session is not watched any more'),
    );
  }

  /**
   * Takes up a session that a worker before this one opened: its trainer trains on, or has ended meanwhile, and then this worker tells
   * how. False where the run's store is none of this worker's: it would train what nobody here can keep. Before this worker asks for
   * any work: its slot is still free.
   */
  async takeUp({ folder, life, config, launched, ...left }: LeftSession): Promise<boolean> {
    const { place, run } = folder;
    const log = this.#log.child({ run });
    try {
      // A store that does not answer is waited for, as ever; not by all that this worker serves.
      const asked = this.#start.requireStore({ run, place, config }, life);
      asked.catch(() => undefined);
      await Promise.race([asked, delay(storeAnswerMs, undefined, { ref: false })]);
    } catch (error) {
      log.warn({ err: error }, 'the session of the worker before is not taken up');
      return false;
    }
    const found = new LiveSession({
      ...{ run, host: this.#host.id, folder, life, config, startEpoch: left.epoch, log },
      ...{ name: left.name, found: left.session },
      diskBytes: launched.container ? this.#diskBytes(config) : null,
    });
    this.#live.set(place, found);
    const lease = left.isAlive ? this.#host.slots.reserveAgain(run, left.file.slot) : null;
    const { devices, slots, launcher } = this.#host;
    const watch = lease ? devices.watch(lease, slots.total) : noGpus.watch;
    found.attach(launcher.find(launched), launched.socket, { memory: null, watch });
    this.#watch(found, lease);
    return true;
  }

  /** Before any session is opened: sockets of trainers that may still be there are kept, and no others. */
  clearSockets(kept: readonly string[]): Promise<void> {
    return this.#host.sockets.keepOnly(kept);
  }

  /** This worker goes, and its trainers stay: another one takes them up. */
  leave(): void {
    for (const session of this.#live.values()) session.leave();
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
    return startProblem(error, this.#host.id);
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
      session.log.warn('the run resumed on another host and is published there: its trainer here is stopped');
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
    const output = outputPath(input.config.project, input.place);
    await storeCheckpoint(folder, newest, store, output, { signal });
    await storeOtherRows({ folder, store, output });
    await storePages({ folder, store, output, options: { signal } });
  }

  forget(place: string): void {
    if (!this.isLive(place)) this.#live.delete(place);
  }
}
