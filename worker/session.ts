/** One live session: a trainer process, what it has said, and who waits for what. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Failure } from '../contracts/failure.ts';
import type { Life } from '../contracts/life.ts';
import type { EarlyEnd, TrainerEvent } from '../contracts/protocol.ts';
import type { Known, StopRung } from '../contracts/run-activities.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { Session, SessionEnd } from '../contracts/session.ts';
import { AskedEnd } from './asked-end.ts';
import { deadline } from './deadline.ts';
import { noGpus, type SlotGpus } from './devices.ts';
import { type EndingTrainer, endTrainer } from './end-trainer.ts';
import { keepNote } from './escaped-processes.ts';
import type { LaunchedTrainer } from './launchers/launcher.ts';
import type { TrainerEnd } from './process-file.ts';
import { ProgressMeter } from './progress-meter.ts';
import type { RunFolder } from './run-folders.ts';
import { readManifests } from './run-report.ts';
import { sessionEnd } from './session-end.ts';
import { type FoundSession, SessionProgress } from './session-progress.ts';
import { removeSockets } from './session-sockets.ts';
import { TrainerChannel, type TrainerListener } from './trainer-channel.ts';
import { TrainerWatch } from './trainer-watch.ts';
import { UnknownEvents } from './unknown-events.ts';
import { Wakes } from './wakes.ts';

/** The session is over; ask `end` how. */
export class SessionOver extends Error {
  override readonly name = 'SessionOver';
}

/** After the trainer's own end, its children get this long to follow, in milliseconds. */
const orphanGrace = 2_000;
/** A dump of all threads is written in no time, unless the machine is busy. */
const stackDumpSeconds = 1;

export interface SessionParts {
  run: string;
  host: string;
  folder: RunFolder;
  /** The life that opens it. */
  life: Life;
  config: RunConfig;
  /** Complete epochs when this worker takes it up. */
  startEpoch: number;
  log: Logger;
  name: Pick<Session, 'id' | 'generation'>;
  /** Left out: it begins now. */
  found?: FoundSession;
  diskBytes?: number | null | undefined;
}

export class LiveSession {
  readonly meter: ProgressMeter;
  /** Resolves, and never rejects, when the process has ended, its group is gone and its last words are on disk. */
  readonly over: Promise<void>;
  readonly told: Promise<void>;
  /** The host wants the session gone: it is handed over, and that is no failure. */
  preempted = false;
  /** Its run asks for nothing here any more, so that this worker ends it. */
  isAbandoned = false;
  /** Its trainer had done all there was to do, as its run was told. */
  hasFinished = false;
  readonly startedAt: string;
  #process: LaunchedTrainer | null = null;
  #channel: TrainerChannel | null = null;
  readonly #unknown = new UnknownEvents();
  #isLeft = false;
  #isOver = false;
  readonly #unwatched = new AbortController();
  #granted = 0;
  /** Undefined until it has ended; null when nobody saw how. */
  #exit: TrainerEnd | null | undefined;
  #seen: Failure | null = null;
  #killedByUs = false;
  #gpuMemoryReleased: boolean | null = null;
  readonly #askedEnd = new AskedEnd();
  #finishOver: () => void = () => undefined;
  #tell: () => void = () => undefined;
  /** By the monotonic clock, since a wall clock may jump. */
  #touched = performance.now();
  readonly #wakes = new Wakes();
  readonly id: string;
  readonly generation: number | undefined;
  readonly isFound: boolean;
  readonly run: string;
  readonly host: string;
  readonly folder: RunFolder;
  /** Whose it is, as its run has told last. */
  life: Life;
  readonly log: Logger;
  readonly config: RunConfig;
  readonly progress: SessionProgress;
  readonly #watch: TrainerWatch;

  constructor({ run, host, folder, life, config, startEpoch, log, name, found, diskBytes = null }: SessionParts) {
    this.id = name.id;
    this.generation = name.generation;
    this.startedAt = found?.startedAt ?? new Date().toISOString();
    this.isFound = found !== undefined;
    this.run = run;
    this.host = host;
    this.folder = folder;
    this.life = life;
    this.log = log;
    this.config = config;
    this.meter = new ProgressMeter(Math.min(startEpoch + 1, config.epochs), config.epochs);
    this.progress = new SessionProgress(startEpoch, log, found);
    this.#watch = new TrainerWatch({
      ...{ folder, diskBytes, deadlines: config.deadlines, meter: this.meter },
      mayBeSilent: () => this.#isLeft || this.progress.epochsDone >= this.#granted,
      onHang: (message) => void this.endHang(message),
      onFull: (message) => this.#endAtOnce('dataDisk', message),
    });
    if (found) this.#watch.trains(startEpoch + 1);
    this.#granted = startEpoch;
    this.over = new Promise((resolve) => {
      this.#finishOver = resolve;
    });
    this.told = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** This worker has handed it over to the next one. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** Whether there is a process, whose end will be seen. */
  get started(): boolean {
    return this.#process !== null;
  }

  /** Since a run last asked for something. */
  get idleMs(): number {
    return performance.now() - this.#touched;
  }

  /** What its trainer said of an early end, also where the disk took no note of it. */
  get endedEarly(): EarlyEnd | null {
    return this.progress.endedEarly;
  }

  get description(): Session {
    const { id, generation, host, startedAt } = this;
    const { resumedFrom, devices, versions } = this.progress;
    return { id, ...(generation && { generation }), host, resumedFrom, devices, versions, startedAt };
  }

  readonly listener: TrainerListener = {
    onConnected: () => this.#greet(),
    onEvent: (event) => this.#onEvent(event),
    onProtocolError: (sentence) => this.#endAtOnce('protocol', sentence),
  };

  /** `socket`: where the trainer listens. */
  attach(process: LaunchedTrainer, socket: string, gpus: SlotGpus = noGpus): void {
    this.#process = process;
    const channel = new TrainerChannel(socket, this.listener);
    this.#channel = channel;
    this.progress.setUpMoves();
    void this.#watchEnd(process, channel, socket, gpus);
  }

  /** This worker goes: nothing is heard, asked or ended by it any more, and the trainer stays. */
  leave(): void {
    this.#isLeft = true;
    this.#unwatched.abort();
    this.#channel?.leave();
    this.#process?.leave();
  }

  /** What it was told is said to a trainer that may not have heard it; what it did meanwhile is on its disk. */
  #greet(): void {
    if (this.#granted > 0) this.#channel?.send({ type: 'grant', through: this.#granted });
    if (this.#askedEnd.command) this.#channel?.send(this.#askedEnd.command);
    void readManifests(this.folder).then(
      (manifests) => {
        this.progress.landed(manifests.at(-1)?.epoch ?? 0);
        this.#wakes.wake();
      },
      (error) => this.log.warn({ err: error }, 'checkpoints'),
    );
  }

  touch(): void {
    this.#touched = performance.now();
  }

  async waitReady(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.progress.isReady, signal);
  }

  grant(through: number): void {
    this.touch();
    // A trainer that waited for this grant was silent for a good reason.
    if (this.progress.epochsDone >= this.#granted) this.#watch.alive();
    this.#granted = Math.max(this.#granted, through);
    this.#channel?.send({ type: 'grant', through: this.#granted });
  }

  /**
   * Resolves when epoch `epoch` is complete and its checkpoint is on disk, and after `quietMs` also once a checkpoint
   * within it is that was not waited for before; or at once where the trainer has decided that no epoch follows. Throws
   * SessionOver, or the signal's reason.
   */
  async waitEpochOrCheckpoint(epoch: number, quietMs: number, signal: AbortSignal): Promise<void> {
    let isQuiet = true;
    const timer = setTimeout(() => {
      isQuiet = false;
      this.#wakes.wake();
    }, quietMs);
    try {
      const progress = this.progress;
      await this.#until(
        () => progress.epochsDone >= epoch || progress.endedEarly !== null || (progress.hasNews && !isQuiet),
        signal,
      );
      progress.hasNews = false;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One rung of the ladder; `over` tells when it worked. */
  ask(rung: StopRung): void {
    this.touch();
    // Whoever asked the worker before for it asks again: that is what ended it.
    if (this.isFound && (rung === 'terminate' || rung === 'kill')) this.#killedByUs = true;
    if (this.#isOver || this.#isLeft) return;
    this.log.info({ rung }, 'stop');
    switch (rung) {
      case 'finish':
      case 'epoch':
      case 'batch':
        return this.#channel?.send(this.#askedEnd.by(rung));
      case 'terminate':
        // It did not do what it was asked: its log tells what it did instead.
        if (this.#askedEnd.command) this.#dumpStacks();
        this.#killedByUs = true;
        return this.#process?.signal('SIGTERM', 'trainer');
      case 'kill':
        return this.kill();
    }
  }

  kill(): void {
    if (this.#isLeft) return;
    this.#killedByUs = true;
    this.#process?.signal('SIGKILL', 'group');
  }

  /** True once it is over; false when `limit` was aborted before. */
  async overOr(limit: AbortSignal): Promise<boolean> {
    await this.#wakes.until(() => this.#isOver, limit).catch(() => undefined);
    return this.#isOver;
  }

  /** To be ended by `endTrainer`, after being asked to stop at its batch boundary. */
  get ending(): EndingTrainer {
    return {
      ask: () => this.ask('batch'),
      terminate: () => this.ask('terminate'),
      kill: () => this.kill(),
      ends: (limit) => this.overOr(limit),
    };
  }

  /** For the run, only once it is over. */
  async end(known: Known): Promise<SessionEnd> {
    const end = await sessionEnd(this.folder, this.id, known, {
      exit: this.#exit && { code: this.#exit.code, signal: this.#exit.signal },
      isUnseen: this.#exit === null,
      unattended: this.#exit?.unattended === true,
      reached: this.progress.reached,
      batchesPerEpoch: this.progress.batchesPerEpoch,
      seen: this.#seen,
      killedByUs: this.#killedByUs,
      outOfMemory: this.#exit?.outOfMemory === true,
      processGroupGone: true,
      gpuMemoryReleased: this.#gpuMemoryReleased,
      acknowledgedAfterMs: this.#askedEnd.acknowledgedAfterMs,
    });
    this.hasFinished = end.finished;
    this.#tell();
    return end;
  }

  #onEvent(event: TrainerEvent): void {
    this.#watch.note(event);
    this.progress.note(event);
    this.#askedEnd.note(event);
    const unknown = this.#unknown.noteOf(event);
    if (unknown) void keepNote(this.folder, this.id, unknown);
    this.#wakes.wake();
  }

  async #watchEnd(process: LaunchedTrainer, channel: TrainerChannel, socket: string, gpus: SlotGpus): Promise<void> {
    const { signal } = this.#unwatched;
    const watching = this.#watch.watch(process, signal, gpus.watch(signal));
    this.#exit = await process.exited;
    this.#unwatched.abort();
    channel.finish();
    await watching;
    await process.endLeftovers(deadline(orphanGrace));
    await process.dismiss();
    // The last events may still be on their way when the process has gone.
    await Promise.race([channel.drained, delay(orphanGrace)]);
    await removeSockets(socket);
    this.#gpuMemoryReleased = (await gpus.memory?.isReleased()) ?? null;
    if (this.#gpuMemoryReleased === false) this.log.error('its GPU memory was not released');
    this.log.info({ exit: this.#exit }, 'the trainer has ended');
    this.#isOver = true;
    this.#finishOver();
    this.#wakes.wake();
  }

  #endAtOnce(kind: Failure['kind'], message: string): void {
    this.#seen ??= { kind, message: message.slice(0, 4000) };
    this.log.error(message);
    this.kill();
  }

  /** What its threads are doing goes into its log; then it is ended, politely first. Resolves when it is over. */
  async endHang(message: string): Promise<void> {
    this.log.warn(message);
    this.#seen ??= { kind: 'hang', message };
    const steps = { ...this.ending, ask: () => this.#dumpStacks() };
    await endTrainer(steps, { ...this.config.deadlines, stopSeconds: stackDumpSeconds });
  }

  /** The SDK answers with the stacks of all threads, in the log; a trainer that is not on the SDK may end of it. */
  #dumpStacks(): void {
    this.#process?.signal('SIGUSR1', 'trainer');
  }

  #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#wakes.until(() => {
      if (condition()) return true;
      if (this.#isOver) throw new SessionOver(`the session ${this.id} is over`);
      return false;
    }, signal);
  }
}
