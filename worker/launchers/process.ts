/**
 * A trainer as a process of this machine, child of a supervisor that outlives the worker (`worker/supervisor/`). Its stdout and
 * stderr go straight into the log file, so that neither a full pipe nor the death of this worker can hold it up.
 */
import { spawn } from 'node:child_process';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readLines } from '../bounded-lines.ts';
import { endLeftovers } from '../escaped-processes.ts';
import {
  type ProcessFile,
  readProcessFile,
  readTrainerEnd,
  type TrainerEnd,
  trainerEndSchema,
} from '../process-file.ts';
import { isGroupAlive, type ProcessIdentity, processGone, signalGroup, signalProcess } from '../process-groups.ts';
import type { RunFolder } from '../run-folders.ts';
import { parseJson } from '../run-report.ts';
import { supervisorSocket } from '../session-sockets.ts';
import type { Slot } from '../slots.ts';
import { trainerEnvironment } from '../trainer-catalog.ts';
import type { Launch, LaunchedBefore, LaunchedTrainer, Launcher, Recipient } from './launcher.ts';

const supervisor = fileURLToPath(new URL('../supervisor', import.meta.url));
const libraryPaths = ['LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH'];
/** Of a line that a supervisor says. */
const longestLine = 65_536;
/** To a supervisor that is there and did not take the call, in milliseconds. */
const callAgainMs = 200;

export const processLauncher = {
  async start(slot: Slot, launch: ProcessLaunch) {
    await startSupervisor(slot, launch);
    const file = await readProcessFile(launch.folder);
    if (file?.session !== launch.session) throw new Error(`${launch.folder.process} is not what was written`);
    return new SupervisedTrainer({ folder: launch.folder, socket: launch.socket, file });
  },
  find: ({ folder, socket, file }: LaunchedBefore) => {
    if (!file) throw new Error(`the session of ${folder.place} is not a process`);
    return new SupervisedTrainer({ folder, socket, file });
  },
} satisfies Launcher;

/** It sees all that this host has: of what it reads nothing need be told. */
type ProcessLaunch = Omit<Launch, 'image' | 'limitsAsked' | 'reads' | 'devices'> & {
  devices: Pick<Launch['devices'], 'environment'>;
};

const answerSchema = z.object({ error: z.string().optional(), code: z.string().nullish() });

/** Returns once there is a trainer. */
async function startSupervisor(slot: Slot, launch: ProcessLaunch): Promise<void> {
  const { program, python, folder, session, socket, limits, environment, devices } = launch;
  // A session of its own, and an environment without the marker of the trainer's: what ends these does not end it. Some Pythons find
  // their own library by a variable alone.
  const child = spawn(python, ['-I', '-S', '-B', supervisor], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
    env: Object.fromEntries(libraryPaths.map((name) => [name, process.env[name]])),
  });
  const { stopSeconds, terminateSeconds, reattachSeconds } = limits;
  const asked = {
    ...{ session, folder: folder.path, events: folder.events, log: folder.trainerLog },
    command: [python, program.file, 'train'],
    // What it writes by a relative path belongs to the run, and is published with it.
    cwd: folder.artifacts,
    environment: {
      ...trainerEnvironment(python),
      EPOCHAL_SESSION: folder.session,
      EPOCHAL_SESSION_ID: session,
      ...devices.environment,
      ...environment,
    },
    socket: supervisorSocket(socket),
    about: { slot: slot.index, startedAt: new Date().toISOString() },
    ...{ reattachSeconds, stopSeconds, terminateSeconds },
  };
  const failed = new Promise<never>((_, reject) => child.on('error', reject));
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(asked));
  const lines: string[] = [];
  await Promise.race([
    readLines(child.stdout, longestLine, { onLine: (line) => lines.push(line), onTooLong: () => undefined }),
    failed,
  ]);
  child.unref();
  const answer = parseJson(answerSchema, lines[0] ?? '');
  if (answer === null) throw new Error(`${python} could not start the supervisor of a trainer`);
  if (answer.error !== undefined) {
    throw Object.assign(new Error(`the trainer could not be started: ${answer.error}`), { code: answer.code });
  }
}

const saidSchema = z.object({ exit: trainerEndSchema.optional() });

export class SupervisedTrainer implements LaunchedTrainer {
  readonly identity: ProcessIdentity;
  readonly exited: Promise<TrainerEnd | null>;
  readonly #folder: RunFolder;
  readonly #session: string;
  readonly #supervisor: ProcessIdentity | null;
  readonly #path: string;
  #connection: Socket | null = null;
  #isLeft = false;

  constructor({ folder, socket, file }: { folder: RunFolder; socket: string; file: ProcessFile }) {
    const { session, pid, startTicks, supervisor: parent } = file;
    this.identity = { pid, startTicks };
    this.#folder = folder;
    this.#session = session;
    this.#supervisor = parent ?? null;
    this.#path = supervisorSocket(socket);
    this.exited = this.#seeEnd();
  }

  signal(signal: NodeJS.Signals, to: Recipient): void {
    if (to === 'group') signalGroup(this.identity.pid, signal);
    else void signalProcess(this.identity, signal);
  }

  alive(): Promise<boolean> {
    return isGroupAlive(this.identity);
  }

  endLeftovers(patience: AbortSignal): Promise<void> {
    return endLeftovers(this, this.#folder, this.#session, patience);
  }

  async dismiss(): Promise<void> {
    this.#isLeft = true;
    this.#connection?.end('over\n');
  }

  leave(): void {
    this.#isLeft = true;
    this.#connection?.destroy();
  }

  /** By the supervisor's word or its record; once it is gone, the end of the trainer's process is all that can be seen. */
  async #seeEnd(): Promise<TrainerEnd | null> {
    for (;;) {
      const end = (await this.#hear()) ?? (await readTrainerEnd(this.#folder, this.#session));
      if (end !== null) return end;
      const isThere = this.#supervisor !== null && !(await processGone(this.#supervisor, AbortSignal.abort()));
      if (this.#isLeft || !isThere) break;
      await delay(callAgainMs);
    }
    if (this.#isLeft) return new Promise(() => undefined);
    await processGone(this.identity, new AbortController().signal);
    return readTrainerEnd(this.#folder, this.#session);
  }

  /** Null when the connection ends without its word. */
  #hear(): Promise<TrainerEnd | null> {
    return new Promise((resolve) => {
      const connection = createConnection(this.#path);
      this.#connection = connection;
      connection.on('error', () => undefined);
      const onLine = (line: string) => {
        const exit = parseJson(saidSchema, line)?.exit;
        if (exit) resolve(exit);
      };
      void readLines(connection, longestLine, { onLine, onTooLong: () => undefined }).then(() => resolve(null));
    });
  }
}
