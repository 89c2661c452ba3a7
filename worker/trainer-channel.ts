/**
 * This worker's end of the protocol: it connects to the socket on which the trainer listens, again whenever the connection was
 * lost, for as long as the trainer lives. Each numbered event is told once, and acknowledged.
 */
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import { type Command, eventSchema, numberedSchema, type TrainerEvent } from '../contracts/protocol.ts';
import { readLines } from './bounded-lines.ts';

export interface TrainerListener {
  /** Connected, for the first time or again: what the trainer has to know is to be said now. */
  onConnected: () => void;
  onEvent: (event: TrainerEvent) => void;
  /** A line that is not in the protocol, with a sentence that holds it. */
  onProtocolError: (sentence: string) => void;
}

/** Of a line in an error message. */
const longestShown = 4_000;
/** Of an event, in bytes: a checkpoint of ten thousand files fits, and its session alone ends of more. */
const longestEvent = 4 * 1024 * 1024;
/** Between two attempts, in milliseconds: a trainer listens soon after its start. */
const firstPause = 10;
const longestPause = 100;
/** Whoever took our place is given a moment. */
const afterLoss = 1_000;

export class TrainerChannel {
  readonly #path: string;
  readonly #listener: TrainerListener;
  readonly #over = new AbortController();
  #socket: Socket | null = null;
  #heard = 0;
  #acknowledges = false;
  /** Resolves when nothing more will be heard: after `finish`, once all that was sent is read. */
  readonly drained: Promise<void>;

  constructor(path: string, listener: TrainerListener) {
    this.#path = path;
    this.#listener = listener;
    this.drained = this.#stayConnected();
  }

  /** Nobody hears it while nobody is connected: `onConnected` is the time to say it again. */
  send(command: Command): void {
    this.#socket?.write(`${JSON.stringify(command)}\n`);
  }

  /** The trainer has ended: what it sent is read, and nobody connects again. */
  finish(): void {
    this.#over.abort();
  }

  /** This worker goes, and the trainer stays. */
  leave(): void {
    this.#over.abort();
    this.#socket?.destroy();
  }

  async #stayConnected(): Promise<void> {
    const pause = (ms: number) => delay(ms, undefined, { signal: this.#over.signal }).catch(() => undefined);
    for (let wait = firstPause; !this.#over.signal.aborted; ) {
      const socket = await connected(this.#path);
      if (!socket) {
        await pause(wait);
        wait = Math.min(longestPause, wait * 2);
        continue;
      }
      this.#socket = socket;
      const ended = this.#listen(socket);
      this.#listener.onConnected();
      await ended;
      this.#socket = null;
      await pause(afterLoss);
    }
  }

  #listen(socket: Socket): Promise<void> {
    return readLines(socket, longestEvent, {
      wholeOnly: true,
      onLine: (line) => this.#read(line),
      onTooLong: (beginning) =>
        this.#listener.onProtocolError(
          `the trainer sent a line that is longer than ${longestEvent} bytes, which no event is: ${shown(beginning)}`,
        ),
    });
  }

  #read(line: string): void {
    const { onProtocolError, onEvent } = this.#listener;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      return onProtocolError(`the trainer sent a line that is not JSON: ${shown(line)}`);
    }
    const { seq, ...rest } = numberedSchema.safeParse(json).data ?? {};
    const event = eventSchema.safeParse(rest);
    if (!event.success) {
      const problems = problemsOf(event.error, rest, eventSchema).map(problemSentence).join('; ');
      return onProtocolError(`the trainer sent an event that is not in the protocol (${problems}): ${shown(line)}`);
    }
    if (seq !== undefined) this.#acknowledge();
    if (seq !== undefined && seq <= this.#heard) return;
    this.#heard = seq ?? this.#heard;
    onEvent(event.data);
  }

  /** Once for all that came together. */
  #acknowledge(): void {
    if (this.#acknowledges) return;
    this.#acknowledges = true;
    setImmediate(() => {
      this.#acknowledges = false;
      this.send({ type: 'received', through: this.#heard });
    });
  }
}

/** Null where nobody listens. */
function connected(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    // Also later: a trainer that has ended cannot take a command; its end is told elsewhere.
    socket.on('error', () => resolve(null));
    socket.once('connect', () => resolve(socket));
  });
}

const shown = (line: string) => (line.length > longestShown ? `${line.slice(0, longestShown)} …` : line);
