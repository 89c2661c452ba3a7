/** One live session: a trainer process, what it has said, and who waits for what. */
import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Position } from '../contracts/checkpoint.ts';
import type { Failure } from '../contracts/failure.ts';
import type { Life } from '../contracts/life.ts';
import type { EarlyEnd, TrainerEvent } from '../contracts/protocol.ts';
import type { Known, StopRung } from '../contracts/run-activities.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { Session, SessionEnd } from '../contracts/session.ts';
import { deadline } from './deadline.ts';
import { type EndingTrainer, endTrainer } from './end-trainer.ts';
import { endEscaped, escapedNote, escapedUnknown } from './escaped-processes.ts';
import type { GpuMemory } from './gpu-memory.ts';
import { HangWatch } from './hang-watch.ts';
import type { LaunchedTrainer, TrainerExit } from './launchers/launcher.ts';
import { RecentOomKills } from './oom-kills.ts';
import { groupGone, groupMemory } from './process-groups.ts';
import { ProgressMeter } from './progress-meter.ts';
import { folderBytes, type RunFolder } from './run-folders.ts';
import { sessionEnd } from './session-end.ts';
import { UnknownEvents } from './unknown-events.ts';

/** The session is over; ask `end` how. */
export class SessionOver extends Error {
  override readonly name = 'SessionOver';
}

/** After the trainer's own end, its children get this long to follow, in milliseconds. */
const orphanGrace = 2_000;
const memoryEvery = 2_000;
const hangCheckEvery = 500;
/** A dump of all threads is written in no time, unless the machine is busy. */
const stackDumpSeconds = 1;

/** Events that a later worker needs to know of; the rest is live progress. */
const kept: ReadonlySet<TrainerEvent['type']> = new Set(['hello', 'ready', 'note', 'endedEarly', 'failed', 'stopped']);

export interface SessionParts {
  run: string;
  host: string;
  folder: RunFolder;
  /** The life that opens it. */
  life: Life;
  config: RunConfig;
  /** Complete epochs at its start. */
  startEpoch: number;
  log: Logger;
}

export class LiveSession {
  readonly meter: ProgressMeter;
  /** Resolves, and never rejects, when the process has ended, its group is gone and its last words are on disk. */
  readonly over: Promise<void>;
  /** Resolves when the run was told how it ended. */
  readonly told: Promise<void>;
  /** The host wants the session gone: it is handed over, and that is no failure. */
  preempted = false;
  resumedFrom: Position | null = null;
  versions: Record<string, string> = {};
  devices: string[] = [];
  readonly startedAt = new Date().toISOString();

  #process: LaunchedTrainer | null = null;
  #ready = false;
  /** Since when its set-up has not moved, by the monotonic clock. */
  #setUpMovedAt = performance.now();
  /** Hears how far the set-up is. */
  onSetUp: (doing: string, counted: { done: number; total: number }) => void = () => undefined;
  #isOver = false;
  #epochsDone = 0;
  #endedEarly: EarlyEnd | null = null;
  readonly #unknown = new UnknownEvents();
  #granted = 0;
  /** A checkpoint within an epoch landed that no report has told yet. */
  #hasNews = false;
  /** Furthest batch that was trained, checkpointed or not. */
  #reached: Position = { epoch: 0, batch: 0 };
  #batchesPerEpoch: number | undefined;
  #exit: TrainerExit | null = null;
  #seen: Failure | null = null;
  #killedByUs = false;
  #outOfMemory = false;
  readonly #oomKills = new RecentOomKills();
  #gpuMemoryReleased: boolean | null = null;
  /** Politely, to end. */
  #asked = false;
  #stopAskedAt: number | null = null;
  #acknowledgedAfterMs: number | null = null;
  #finishOver: () => void = () => undefined;
  #tell: () => void = () => undefined;
  /** By the monotonic clock: a wall clock that jumps must end no session. */
  #spokenTo = performance.now();
  #writing: Promise<void> = Promise.resolve();
  readonly #wakes = new Set<() => void>();

  readonly id = randomUUID();
  readonly run: string;
  readonly host: string;
  readonly folder: RunFolder;
  /** Whose it is, as its run has told last. */
  life: Life;
  readonly log: Logger;
  readonly config: RunConfig;
  readonly #hangWatch: HangWatch;

  constructor({ run, host, folder, life, config, startEpoch, log }: SessionParts) {
    this.run = run;
    this.host = host;
    this.folder = folder;
    this.life = life;
    this.log = log;
    this.config = config;
    this.#hangWatch = new HangWatch(config.deadlines);
    this.meter = new ProgressMeter(Math.min(startEpoch + 1, config.epochs), config.epochs);
    this.#epochsDone = startEpoch;
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

  /** Whether there is a process, whose end will be seen. */
  get started(): boolean {
    return this.#process !== null;
  }

  /** Milliseconds since a run last asked for something. */
  get idleMs(): number {
    return performance.now() - this.#spokenTo;
  }

  /** What its trainer said of an early end, also where the disk took no note of it. */
  get endedEarly(): EarlyEnd | null {
    return this.#endedEarly;
  }

  get acknowledgedAfterMs(): number | null {
    return this.#acknowledgedAfterMs;
  }

  get description(): Session {
    const { id, host, resumedFrom, devices, versions, startedAt } = this;
    return { id, host, resumedFrom, devices, versions, startedAt };
  }

  /** Called for every event of the process, and for what is no event. */
  readonly listener = {
    onEvent: (event: TrainerEvent) => this.#onEvent(event),
    onGarbage: (sentence: string) => {
      this.#seen ??= { kind: 'protocol', message: sentence.slice(0, 4000) };
      this.log.error(sentence);
      this.kill();
    },
  };

  /** `gpuMemory`: as it was before the process. */
  attach(process: LaunchedTrainer, gpuMemory: GpuMemory | null = null): void {
    this.#process = process;
    this.#setUpMovedAt = performance.now();
    void this.#watchEnd(process, gpuMemory);
  }

  spokenTo(): void {
    this.#spokenTo = performance.now();
  }

  /** Whether the trainer is ready before its set-up has stood still for so long: one that tells how far it is moves. */
  async becomesReady(seconds: number, signal: AbortSignal): Promise<boolean> {
    const left = () => seconds * 1000 - (performance.now() - this.#setUpMovedAt);
    while (left() > 0) {
      const limit = deadline(left(), signal);
      try {
        await this.#until(() => this.#ready, limit);
        return true;
      } catch (error) {
        if (error !== limit.reason || signal.aborted) throw error;
      }
    }
    return false;
  }

  grant(through: number): void {
    this.spokenTo();
    // A trainer that waited for this grant was silent for a good reason.
    if (this.#epochsDone >= this.#granted) this.#hangWatch.alive();
    this.#granted = Math.max(this.#granted, through);
    this.#process?.send({ type: 'grant', through });
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
      this.#wake();
    }, quietMs);
    try {
      await this.#until(
        () => this.#epochsDone >= epoch || this.#endedEarly !== null || (this.#hasNews && !isQuiet),
        signal,
      );
      this.#hasNews = false;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One rung of the ladder; `over` tells when it worked. */
  ask(rung: StopRung): void {
    this.spokenTo();
    if (this.#isOver) return;
    this.log.info({ rung }, 'stop');
    switch (rung) {
      case 'finish':
        this.#asked = true;
        return this.#process?.send({ type: 'shutdown' });
      case 'epoch':
      case 'batch':
        this.#asked = true;
        this.#stopAskedAt ??= performance.now();
        return this.#process?.send({ type: 'stop', mode: rung });
      case 'terminate':
        // It did not do what it was asked: its log tells what it did instead.
        if (this.#asked) this.#dumpStacks();
        this.#killedByUs = true;
        return this.#process?.signal('SIGTERM', 'trainer');
      case 'kill':
        return this.kill();
    }
  }

  kill(): void {
    this.#killedByUs = true;
    this.#process?.signal('SIGKILL', 'group');
  }

  /** True once it is over; false when `limit` was aborted before. */
  async overOr(limit: AbortSignal): Promise<boolean> {
    if (!this.#isOver && !limit.aborted) {
      const settled = new AbortController();
      const aborted = new Promise<void>((resolve) => {
        limit.addEventListener('abort', () => resolve(), { once: true, signal: settled.signal });
      });
      await Promise.race([this.over, aborted]);
      settled.abort();
    }
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
      exit: this.#exit,
      reached: this.#reached,
      batchesPerEpoch: this.#batchesPerEpoch,
      seen: this.#seen,
      killedByUs: this.#killedByUs,
      outOfMemory: this.#outOfMemory,
      processGroupGone: true,
      gpuMemoryReleased: this.#gpuMemoryReleased,
      acknowledgedAfterMs: this.#acknowledgedAfterMs,
    });
    this.#tell();
    return end;
  }

  #onEvent(event: TrainerEvent): void {
    this.meter.note(event);
    this.#hangWatch.note(event);
    const unknown = this.#unknown.noteOf(event);
    if (unknown) this.#keep(unknown);
    if (kept.has(event.type) || (event.type === 'acknowledged' && event.command === 'stop')) this.#keep(event);
    switch (event.type) {
      case 'hello':
        this.versions = event.versions;
        this.devices = event.devices.map(({ name }) => name);
        break;
      case 'setUpProgress':
        this.#setUpMovedAt = performance.now();
        this.onSetUp(event.doing, { done: event.done, total: event.total });
        break;
      case 'ready':
        this.#ready = true;
        this.resumedFrom = event.resumedFrom;
        this.#reached = event.resumedFrom ?? this.#reached;
        break;
      case 'batch':
        if (event.phase === 'train') this.#trained({ epoch: event.epoch - 1, batch: event.batch });
        break;
      case 'epoch':
        this.#epochsDone = event.epoch;
        this.#batchesPerEpoch = event.batches;
        // Its checkpoint landed while the next epoch trained: batches of that one may have been told before.
        if (this.#reached.epoch < event.epoch) this.#reached = { epoch: event.epoch, batch: 0 };
        this.log.info({ epoch: event.epoch, metrics: event.metrics }, 'epoch');
        break;
      case 'endedEarly':
        this.#endedEarly = { epoch: event.epoch, reason: event.reason };
        this.log.info({ epoch: event.epoch }, `the trainer ends early: ${event.reason}`);
        break;
      case 'checkpoint':
        if (event.checkpoint.batch > 0) this.#hasNews = true;
        break;
      case 'acknowledged':
        if (event.command === 'stop' && this.#stopAskedAt !== null) {
          this.#acknowledgedAfterMs ??= Math.round((performance.now() - this.#stopAskedAt) * 100) / 100;
        }
        break;
      case 'failed':
        this.log.warn({ kind: event.kind, traceback: event.traceback }, event.message);
        break;
      default:
    }
    this.#wake();
  }

  #trained(position: Position): void {
    // The last batch of an epoch is always told, and the next epoch may begin before the end of this one is.
    if (position.epoch > this.#reached.epoch && this.#reached.batch > 0) this.#batchesPerEpoch = this.#reached.batch;
    this.#reached = position;
  }

  #keep(event: TrainerEvent): void {
    const line = JSON.stringify({ session: this.id, at: new Date().toISOString(), event });
    this.#writing = this.#writing
      .then(() => appendFile(this.folder.events, `${line}\n`))
      .catch((error) => {
        this.log.error({ err: error }, 'an event could not be written into the run folder');
      });
  }

  async #watchEnd(process: LaunchedTrainer, gpuMemory: GpuMemory | null): Promise<void> {
    const ended = new AbortController();
    const watching = [this.#measureMemory(process, ended.signal), this.#watchForHangs(ended.signal)];
    this.#exit = await process.exited;
    ended.abort();
    this.#outOfMemory = (await this.#oomKills.count()) > 0;
    await Promise.all(watching);
    const patience = deadline(orphanGrace);
    if (!(await groupGone(process.identity, patience))) {
      process.signal('SIGKILL', 'group');
      await groupGone(process.identity, new AbortController().signal);
    }
    const escaped = await endEscaped(this.folder, patience);
    if (escaped === null) this.#keep({ type: 'note', message: escapedUnknown });
    else if (escaped.length > 0) this.#keep({ type: 'note', message: escapedNote(escaped) });
    process.dismiss();
    // The last events may still be in the pipe when the process has gone.
    await Promise.race([process.drained, delay(orphanGrace)]);
    await this.#writing;
    this.#gpuMemoryReleased = (await gpuMemory?.isReleased()) ?? null;
    if (this.#gpuMemoryReleased === false) this.log.error('its GPU memory was not released');
    this.log.info({ exit: this.#exit }, 'the trainer has ended');
    this.#setOver();
  }

  async #measureMemory(process: LaunchedTrainer, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.meter.memoryBytes = await groupMemory(process.identity.pid);
      await this.#oomKills.count();
      await delay(memoryEvery, undefined, { signal }).catch(() => undefined);
    }
  }

  async #watchForHangs(signal: AbortSignal): Promise<void> {
    let savedBytes = 0;
    while (!signal.aborted) {
      this.#hangWatch.pause();
      await delay(hangCheckEvery, undefined, { signal }).catch(() => undefined);
      this.#hangWatch.look();
      if (this.#hangWatch.phase === 'save') {
        const bytes = await folderBytes(this.folder.checkpoints);
        if (bytes !== savedBytes) this.#hangWatch.alive();
        savedBytes = bytes;
      }
      const waitsForGrant = this.#epochsDone >= this.#granted;
      if (signal.aborted || waitsForGrant || !this.#hangWatch.hangs) continue;
      const { phase, silentSeconds, limitSeconds } = this.#hangWatch;
      void this.endHang(
        `no sign of life for ${silentSeconds.toFixed(1)} s in phase ${phase} (limit ${limitSeconds?.toFixed(1)} s); its stacks are in its log`,
      );
      return;
    }
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

  #setOver(): void {
    this.#isOver = true;
    this.#finishOver();
    this.#wake();
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (condition()) return;
      if (this.#isOver) throw new SessionOver(`the session ${this.id} is over`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#wakes.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wakes.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  #wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}
