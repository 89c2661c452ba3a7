/**
 * A trainer as a process of this machine: JSON lines down fd 3 and up fd 4, stdout and stderr straight into the log
 * file, so that neither a full pipe nor the death of this worker can hold the trainer up.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { problemsOf } from '../../contracts/config-problems.ts';
import { problemSentence } from '../../contracts/failure.ts';
import { type Command, eventSchema } from '../../contracts/protocol.ts';
import { readLines } from '../bounded-lines.ts';
import type { ProcessFile } from '../process-file.ts';
import { identify, isGroupAlive, type ProcessIdentity, signalGroup } from '../process-groups.ts';
import { replaceFile } from '../run-folders.ts';
import { trainerEnvironment } from '../trainer-catalog.ts';
import { TrainerGuard } from '../trainer-guard.ts';
import type { LaunchedTrainer, Launcher, Recipient, TrainerExit, TrainerListener } from './launcher.ts';

/** Of a line in an error message. */
const longestShown = 4_000;
/** Of an event, in bytes: a checkpoint of ten thousand files fits, and its session alone ends of more. */
const longestEvent = 4 * 1024 * 1024;

export const processLauncher: Launcher = {
  async start({ program, python, folder, session, limits, environment }, listener) {
    const log = openSync(folder.trainerLog, 'a');
    const guard = new TrainerGuard(python, folder, session, limits);
    let child: ChildProcess;
    try {
      child = spawn(python, [program.file, 'train'], {
        // What it writes by a relative path belongs to the run, and is published with it.
        cwd: folder.artifacts,
        env: {
          ...trainerEnvironment(python),
          EPOCHAL_SESSION: folder.session,
          EPOCHAL_SESSION_ID: session,
          ...environment,
        },
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
    // Listened to before anything is waited for: what it says and how it ends are told once.
    const exited = new Promise<TrainerExit>((resolve) =>
      child.once('exit', (code, signal) => resolve({ code, signal })),
    );
    const drained = readEvents(child.stdio[4] as Readable, listener);
    const identity = await identify(child.pid ?? 0);
    guard.watch(identity);
    const file: ProcessFile = { session, ...identity };
    await replaceFile(folder.process, JSON.stringify(file));
    return new TrainerProcess(identity, exited, drained, child, guard);
  },
};

class TrainerProcess implements LaunchedTrainer {
  readonly #child: ChildProcess;
  readonly #commands: Writable;
  readonly #guard: TrainerGuard;

  constructor(
    readonly identity: ProcessIdentity,
    readonly exited: Promise<TrainerExit>,
    readonly drained: Promise<void>,
    child: ChildProcess,
    guard: TrainerGuard,
  ) {
    this.#child = child;
    this.#guard = guard;
    this.#commands = child.stdio[3] as Writable;
    // A trainer that has ended cannot take a command; its end is told by `exited`.
    this.#commands.on('error', () => undefined);
  }

  send(command: Command): void {
    this.#commands.write(`${JSON.stringify(command)}\n`);
  }

  signal(signal: NodeJS.Signals, to: Recipient): void {
    if (to === 'group') signalGroup(this.identity.pid, signal);
    else this.#child.kill(signal);
  }

  alive(): Promise<boolean> {
    return isGroupAlive(this.identity);
  }

  dismiss(): void {
    this.#guard.dismiss();
  }
}

const readEvents = (stream: Readable, listener: TrainerListener): Promise<void> =>
  readLines(stream, longestEvent, {
    onLine: (line) => readEvent(line, listener),
    onTooLong: (beginning) =>
      listener.onGarbage(
        `the trainer sent a line that is longer than ${longestEvent} bytes, which no event is: ${shown(beginning)}`,
      ),
  });

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
