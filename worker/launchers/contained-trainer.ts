/** A trainer in a container, as its worker, or the one after it, has to do with it: through its supervisor, and the engine where that is silent. */
import { lstat, readFile, rm } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { readLines } from '../bounded-lines.ts';
import { type ContainerRecord, removeContainerRecord } from '../container-record.ts';
import { EngineProblem } from '../engine-problem.ts';
import { readTrainerEnd, type TrainerEnd, trainerEndSchema } from '../process-file.ts';
import { identify, type ProcessIdentity } from '../process-groups.ts';
import type { RunFolder } from '../run-folders.ts';
import { parseJson } from '../run-report.ts';
import { removeSockets, supervisorSocket } from '../session-sockets.ts';
import type { ContainerEngine, ContainerState } from './container-engine.ts';
import type { LaunchedTrainer, Recipient } from './launcher.ts';

const longestLine = 65_536;
/** Milliseconds. */
const firstPause = 10;
const longestPause = 200;
/** An engine that does not answer is asked no more often: each question is a process. */
const awayPause = 2_000;
/** A supervisor that has not killed all by then is not asked again. */
const killedWithinMs = 3_000;
const clearedWithinMs = 10_000;
const lookEvery = 50;

const saidSchema = z.object({
  pid: z.int().positive().optional(),
  startTicks: z.string().nullish(),
  exit: trainerEndSchema.optional(),
});

export class ContainedTrainer implements LaunchedTrainer {
  /** Resolves with its number in the container. */
  readonly started: Promise<void>;
  readonly exited: Promise<TrainerEnd | null>;
  identity: ProcessIdentity | null = null;
  readonly #engine: ContainerEngine;
  readonly #folder: RunFolder;
  readonly #record: ContainerRecord;
  #connection: Socket | null = null;
  /** Asked while nobody was connected. */
  #unsaid: string[] = [];
  #isLeft = false;
  #hasExited = false;
  #onStarted: () => void = () => undefined;

  constructor(engine: ContainerEngine, folder: RunFolder, record: ContainerRecord) {
    this.#engine = engine;
    this.#folder = folder;
    this.#record = record;
    this.started = new Promise((resolve) => {
      this.#onStarted = resolve;
    });
    this.exited = this.#seeEnd().then((end) => {
      this.#hasExited = true;
      return end;
    });
  }

  signal(signal: NodeJS.Signals, to: Recipient): void {
    this.#say(`signal ${signal} ${to}`);
    if (signal === 'SIGKILL') void this.#insist();
  }

  async alive(): Promise<boolean> {
    return (await this.#engine.state(this.#record.name))?.isRunning ?? false;
  }

  /** The supervisor gives what is left as long as a worker would, and ends with all of it. */
  async endLeftovers(): Promise<void> {
    this.#say('clear');
    if (await this.#stops(clearedWithinMs)) return;
    await this.#engine.kill(this.#record.name);
    while (!(await this.#stops(clearedWithinMs)));
  }

  async dismiss(): Promise<void> {
    this.leave();
    for (let pause = 1_000; ; pause = Math.min(pause * 2, 30_000)) {
      try {
        await this.#engine.remove(this.#record.name);
        break;
      } catch (error) {
        if (!(error instanceof EngineProblem)) throw error;
        await delay(pause);
      }
    }
    await removeSockets(this.#record.socket);
    await removeLinks(this.#folder);
    await removeContainerRecord(this.#folder, this.#record.session);
  }

  leave(): void {
    this.#isLeft = true;
    this.#connection?.destroy();
  }

  #say(line: string): void {
    if (this.#connection) this.#connection.write(`${line}\n`);
    else this.#unsaid.push(line);
  }

  /** A supervisor that does not do it may be stopped, or harmed. */
  async #insist(): Promise<void> {
    await Promise.race([this.exited, delay(killedWithinMs, undefined, { ref: false })]);
    if (!this.#hasExited && !this.#isLeft) await this.#engine.kill(this.#record.name);
  }

  async #stops(patienceMs: number): Promise<boolean> {
    const limit = performance.now() + patienceMs;
    for (let pause = lookEvery; performance.now() < limit; await delay(pause)) {
      const isAlive = await this.alive().catch(() => null);
      if (isAlive === false) return true;
      pause = isAlive === null ? awayPause : lookEvery;
    }
    return false;
  }

  /** By the supervisor's word or its record; where it ended without either, the container's state tells. */
  async #seeEnd(): Promise<TrainerEnd | null> {
    let end: TrainerEnd | null = null;
    for (let pause = firstPause, most = longestPause; !this.#isLeft; pause = Math.min(most, pause * 2)) {
      end ??= (await this.#hear()) ?? (await readTrainerEnd(this.#folder, this.#record.session));
      if (this.#isLeft) break;
      const state = await this.#engine.state(this.#record.name).catch(() => undefined);
      // Of one that was killed the engine has a word to say.
      if (end !== null && (state !== undefined || !wasKilled(end))) return judged(end, state ?? null);
      if (state === null) return null;
      most = state === undefined ? awayPause : longestPause;
      if (state && !state.isRunning && state.exitCode !== null) return endOf(state);
      await delay(pause);
    }
    return new Promise(() => undefined);
  }

  /** Null when the connection ends without its word. */
  async #hear(): Promise<TrainerEnd | null> {
    const path = supervisorSocket(this.#record.socket);
    // The trainer may write there: a link would lead to another one's.
    const found = await lstat(path).catch(() => null);
    if (!found?.isSocket()) return null;
    return new Promise((resolve) => {
      const connection = createConnection(path);
      connection.on('error', () => undefined);
      connection.once('connect', () => {
        this.#connection = connection;
        for (const line of this.#unsaid.splice(0)) this.#say(line);
      });
      const onLine = (line: string) => {
        const said = parseJson(saidSchema, line);
        if (said?.pid !== undefined) void this.#begun(said.pid);
        if (said?.exit) resolve(said.exit);
      };
      void readLines(connection, longestLine, { onLine, onTooLong: () => undefined }).then(() => {
        if (this.#connection === connection) this.#connection = null;
        resolve(null);
      });
    });
  }

  async #begun(pid: number): Promise<void> {
    this.#onStarted();
    this.identity = await this.#onHost(pid).catch(() => null);
  }

  /** The process of this host that has this number in the container: a child of the container's first. Null where this host does not have it. */
  async #onHost(inside: number): Promise<ProcessIdentity | null> {
    const first = (await this.#engine.state(this.#record.name))?.pid ?? 0;
    const children = await readFile(`/proc/${first}/task/${first}/children`, 'utf8');
    for (const child of children.split(' ').filter(Boolean)) {
      const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
      if (/^NSpid:.*\t(\d+)$/m.exec(status)?.[1] === String(inside)) return identify(Number(child));
    }
    return null;
  }
}

/** In the place of folders that the worker makes once it needs them: it would write, and remove, where they lead. Those that every session has are mounts. */
async function removeLinks({ path, snapshots, damaged }: RunFolder): Promise<void> {
  for (const folder of [snapshots, damaged, join(path, 'start')]) {
    const found = await lstat(folder).catch(() => null);
    if (found && !found.isDirectory()) await rm(folder, { force: true });
  }
}

const wasKilled = ({ signal, code }: TrainerEnd) => signal === 'SIGKILL' || code === 137;

/** The engine hears of the kernel's kills, and no other container's are among them. */
const judged = (end: TrainerEnd, state: ContainerState | null): TrainerEnd =>
  wasKilled(end) && state?.outOfMemory ? { ...end, outOfMemory: true } : end;

/** Of a container whose first process was killed with the trainer. */
const endOf = ({ exitCode, outOfMemory }: ContainerState): TrainerEnd =>
  exitCode === 137
    ? { code: null, signal: 'SIGKILL', outOfMemory, unattended: false }
    : { code: exitCode, signal: null, outOfMemory: false, unattended: false };
