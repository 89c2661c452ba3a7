/**
 * One trainer process and its protocol: JSON lines down fd 3 and up fd 4, stdout and stderr straight into the log
 * file, so that neither a full pipe nor the death of this worker can hold the trainer up.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import { type Command, eventSchema, type TrainerEvent } from '../contracts/protocol.ts';
import { identify, type ProcessIdentity, signalGroup } from './process-groups.ts';
import { type RunFolder, readIfThere, replaceFile } from './run-folders.ts';
import { type TrainerProgram, trainerEnvironment } from './trainer-catalog.ts';

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

const longestLine = 4_000;

export class TrainerProcess {
  /** Resolves when the process itself has ended; others of its group may still be alive. */
  readonly exited: Promise<TrainerExit>;
  readonly identity: Promise<ProcessIdentity>;
  /** Resolves when the last event was read: after the end of everyone who could write one. */
  readonly drained: Promise<void>;
  readonly #child: ChildProcess;
  readonly #commands: Writable;

  /** Throws when the program cannot be started at all. */
  private constructor(child: ChildProcess, listener: TrainerListener) {
    this.#child = child;
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.identity = identify(this.pid);
    this.#commands = child.stdio[3] as Writable;
    // A trainer that has ended cannot take a command; its end is told by `exited`.
    this.#commands.on('error', () => undefined);
    const events = createInterface({ input: child.stdio[4] as NodeJS.ReadableStream });
    events.on('line', (line) => readEvent(line, listener));
    events.on('error', () => undefined);
    this.drained = new Promise((resolve) => events.once('close', resolve));
  }

  static async start(
    program: TrainerProgram,
    python: string,
    folder: RunFolder,
    session: string,
    extra: NodeJS.ProcessEnv,
    listener: TrainerListener,
  ): Promise<TrainerProcess> {
    const log = openSync(folder.trainerLog, 'a');
    let child: ChildProcess;
    try {
      child = spawn(python, [program.file, 'train'], {
        cwd: dirname(program.file),
        env: { ...trainerEnvironment(), EPOCHAL_SESSION: folder.session, ...extra },
        stdio: ['ignore', log, log, 'pipe', 'pipe'],
        detached: true,
      });
    } finally {
      closeSync(log);
    }
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const trainer = new TrainerProcess(child, listener);
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

  /** To every process of the group. */
  killGroup(): void {
    signalGroup(this.pid, 'SIGKILL');
  }
}

function readEvent(line: string, { onEvent, onGarbage }: TrainerListener): void {
  const shown = line.length > longestLine ? `${line.slice(0, longestLine)} …` : line;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return onGarbage(`the trainer sent a line that is not JSON: ${shown}`);
  }
  const event = eventSchema.safeParse(json);
  if (event.success) return onEvent(event.data);
  const problems = problemsOf(event.error, json, eventSchema).map(problemSentence).join('; ');
  onGarbage(`the trainer sent an event that is not in the protocol (${problems}): ${shown}`);
}
