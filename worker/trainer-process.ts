/**
 * One trainer process and its protocol: JSON lines down fd 3 and up fd 4, stdout and stderr straight into the log
 * file, so that neither a full pipe nor the death of this worker can hold the trainer up.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import { type Command, eventSchema, type TrainerEvent } from '../contracts/protocol.ts';
import { readLines } from './bounded-lines.ts';
import { identify, type ProcessIdentity, signalGroup } from './process-groups.ts';
import { type RunFolder, readIfThere, replaceFile } from './run-folders.ts';
import { type TrainerProgram, trainerEnvironment } from './trainer-catalog.ts';
import { type GuardLimits, TrainerGuard } from './trainer-guard.ts';

export interface TrainerExit {
  code: number | null;
  signal: string | null;
}

export interface TrainerListener {
  onEvent: (event: TrainerEvent) => void;
  /** A line on fd 4 that is not in the protocol, with a sentence that holds it. */
  onGarbage: (sentence: string) => void;
}

/** `process.json` in the run folder: how a later worker finds this process again. */
const processFileSchema = z.strictObject({
  session: z.string(),
  pid: z.int().positive(),
  startTicks: z.string().nullable(),
});
export type ProcessFile = z.infer<typeof processFileSchema>;

export async function readProcessFile(folder: RunFolder): Promise<ProcessFile | null> {
  const text = await readIfThere(folder.process);
  if (text === null) return null;
  try {
    return processFileSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Of a line in an error message. */
const longestShown = 4_000;
/** Of an event, in bytes: a checkpoint of ten thousand files fits, and its session alone ends of more. */
const longestEvent = 4 * 1024 * 1024;

export class TrainerProcess {
  /** Resolves when the process itself has ended; others of its group may still be alive. */
  readonly exited: Promise<TrainerExit>;
  readonly identity: Promise<ProcessIdentity>;
  /** Resolves when the last event was read: after the end of everyone who could write one. */
  readonly drained: Promise<void>;
  readonly #child: ChildProcess;
  readonly #commands: Writable;
  readonly #guard: TrainerGuard;

  /** Throws when the program cannot be started at all. */
  private constructor(child: ChildProcess, listener: TrainerListener, guard: TrainerGuard) {
    this.#child = child;
    this.#guard = guard;
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.identity = identify(this.pid);
    this.#commands = child.stdio[3] as Writable;
    // A trainer that has ended cannot take a command; its end is told by `exited`.
    this.#commands.on('error', () => undefined);
    this.drained = readLines(child.stdio[4] as Readable, longestEvent, {
      onLine: (line) => readEvent(line, listener),
      onTooLong: (beginning) =>
        listener.onGarbage(
          `the trainer sent a line that is longer than ${longestEvent} bytes, which no event is: ${shown(beginning)}`,
        ),
    });
  }

  static async start(
    program: TrainerProgram,
    python: string,
    folder: RunFolder,
    session: string,
    limits: GuardLimits,
    extra: NodeJS.ProcessEnv,
    listener: TrainerListener,
  ): Promise<TrainerProcess> {
    const log = openSync(folder.trainerLog, 'a');
    const guard = new TrainerGuard(python, folder, session, limits);
    let child: ChildProcess;
    try {
      child = spawn(python, [program.file, 'train'], {
        // What it writes by a relative path belongs to the run, and is published with it.
        cwd: folder.artifacts,
        env: { ...trainerEnvironment(python), EPOCHAL_SESSION: folder.session, EPOCHAL_SESSION_ID: session, ...extra },
        stdio: ['ignore', log, log, 'pipe', 'pipe'],
        detached: true,
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        // Also later: a signal that cannot be sent must not end the worker.
        child.on('error', reject);
      });
    } catch (error) {
      guard.dismiss();
      throw error;
    } finally {
      closeSync(log);
    }
    const trainer = new TrainerProcess(child, listener, guard);
    guard.watch(await trainer.identity);
    const file: ProcessFile = { session, ...(await trainer.identity) };
    await replaceFile(folder.process, JSON.stringify(file));
    return trainer;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(command: Command): void {
    this.#commands.write(`${JSON.stringify(command)}\n`);
  }

  /** To the trainer alone, which ends its own children in its own way. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** The SDK answers with the stacks of all threads, in the log; a trainer that is not on the SDK may end of it. */
  dumpStacks(): void {
    this.#child.kill('SIGUSR1');
  }

  /** Nothing of it is alive any more. */
  dismissGuard(): void {
    this.#guard.dismiss();
  }

  /** To every process of the group. */
  killGroup(): void {
    signalGroup(this.pid, 'SIGKILL');
  }
}

function readEvent(line: string, { onEvent, onGarbage }: TrainerListener): void {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return onGarbage(`the trainer sent a line that is not JSON: ${shown(line)}`);
  }
  const event = eventSchema.safeParse(json);
  if (event.success) return onEvent(event.data);
  const problems = problemsOf(event.error, json, eventSchema).map(problemSentence).join('; ');
  onGarbage(`the trainer sent an event that is not in the protocol (${problems}): ${shown(line)}`);
}

const shown = (line: string) => (line.length > longestShown ? `${line.slice(0, longestShown)} …` : line);
