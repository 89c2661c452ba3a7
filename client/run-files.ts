/** Files of a run, read part by part through a worker: from its host, or from the store once they are published. */
import { z } from 'zod';
import { hostControlQueue, poolControlQueue } from '../contracts/queues.ts';
import {
  aboutLink,
  type ListedRunFiles,
  type LogLines,
  largestPart,
  listedRunFilesSchema,
  logLinesSchema,
  type RemoveResults,
  type RunFilesPlace,
} from '../contracts/run-files.ts';
import { newAnswerKey, sealedTextSchema } from '../contracts/sealed-text.ts';
import { NoWorkerError, WorkerFailedError } from './errors.ts';
import type { WorkerQuestions } from './worker-questions.ts';

/** Who is asked for what: the host that has the run's folder, or whoever reaches the store. */
export interface FilesPlace extends RunFilesPlace {
  asked: { host: string } | { pool: string };
}

/** Parts asked for at a time: the next ones travel while one is being written. */
const ahead = 3;
/** Workers are upgraded, and stores moved. */
const askAgainMs = 10 * 60 * 1000;

/** Every method throws NoWorkerError, WorkerFailedError and the errors of the server. */
export class RunFiles {
  /** Stores, and who was asked for a link to a file there and had none: until when nobody asks again. */
  readonly #withoutLinks = new Map<string, number>();

  constructor(readonly workers: Pick<WorkerQuestions, 'ask'>) {}

  /** Null when there is no such folder. */
  list(place: FilesPlace, folder: string | null): Promise<ListedRunFiles | null> {
    return this.#ask(place, 'listRunFiles', { folder }, listedRunFilesSchema.nullable());
  }

  /** Bytes; null when there is no such file. */
  size(place: FilesPlace, path: string): Promise<number | null> {
    return this.#ask(place, 'sizeOfRunFile', { path }, z.int().min(0).nullable());
  }

  /** Null when there is no log. */
  log(
    place: FilesPlace,
    question: { offset: number | null; lines: number; search: string | null; complete: boolean },
  ): Promise<LogLines | null> {
    return this.#ask(place, 'readRunLog', question, logLinesSchema.nullable());
  }

  /** WorkerFailedError where the file no longer has that much: it went to the store meanwhile, and is to be asked for there. */
  async part(place: FilesPlace, path: string, offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#ask(place, 'readRunFile', { path, offset, length }, z.instanceof(Uint8Array));
    if (bytes.length === length) return bytes;
    throw new WorkerFailedError(`${path} of run ${place.run} went, or became shorter, while it was read`);
  }

  /**
   * An address of the store's own where the file can be downloaded for some minutes; null where there is none. It is a credential: nobody but
   * who downloads may see it.
   */
  async link(place: FilesPlace, path: string): Promise<string | null> {
    if (place.source !== 'store') return null;
    const store = JSON.stringify([place.asked, place.store]);
    if (performance.now() < (this.#withoutLinks.get(store) ?? 0)) return null;
    const key = await newAnswerKey();
    try {
      const sealed = await this.#ask(place, 'linkRunFile', { path, key: key.publicKey }, sealedTextSchema.nullable());
      const address = sealed && (await key.open(sealed, aboutLink({ place, path })));
      if (address && /^https?:/.test(address)) return address;
    } catch (error) {
      // A worker of an earlier version knows no links. Whatever else is wrong is said where the file is read, and may be gone by the next one.
      if (!(error instanceof WorkerFailedError)) return null;
    }
    // A run may have thousands of files, and such a worker is asked twice for each.
    this.#withoutLinks.set(store, performance.now() + askAgainMs);
    return null;
  }

  /**
   * Removes the output folder of a life that is over; false where there was none. Throws ConfigError while it is not over, and
   * WorkerFailedError where the folder is another life's.
   */
  removeResults(place: FilesPlace, owner: Omit<RemoveResults, 'place'>): Promise<boolean> {
    return this.#ask(place, 'removeResults', owner, z.boolean());
  }

  /** Bytes from `start` up to `end`, in order; ends early, with an error, when the file has become shorter. */
  async *bytes(place: FilesPlace, path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    const asked: Promise<Uint8Array>[] = [];
    let next = start;
    const askNext = () => {
      if (next >= end) return;
      const length = Math.min(largestPart, end - next);
      const part = this.part(place, path, next, length);
      // A failure is thrown where its part would be; until then it is nobody's.
      part.catch(() => undefined);
      asked.push(part);
      next += length;
    };
    for (let i = 0; i < ahead; i++) askNext();
    for (let part = asked.shift(); part; part = asked.shift()) {
      const bytes = await part;
      askNext();
      yield bytes;
    }
  }

  /**
   * The same of the first of `places`, which said that the file has `size` bytes; from the others where it has gone from there meanwhile, as it does
   * when its run is published. Throws what kept the first from answering where none of them has it in that size.
   */
  async *bytesWherever(
    places: readonly FilesPlace[],
    path: string,
    { start, end, size }: { start: number; end: number; size: number },
  ): AsyncGenerator<Uint8Array> {
    let next = start;
    let failure: unknown = null;
    for (const place of places) {
      try {
        if (failure !== null && (await this.size(place, path)) !== size) continue;
        for await (const part of this.bytes(place, path, next, end)) {
          next += part.length;
          yield part;
        }
        return;
      } catch (error) {
        if (!(error instanceof NoWorkerError || error instanceof WorkerFailedError)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  #ask<T>(place: FilesPlace, activity: string, input: object, answer: z.ZodType<T>): Promise<T> {
    const { source, run, project, store, asked } = place;
    return this.workers.ask({
      queue: 'host' in asked ? hostControlQueue(asked.host) : poolControlQueue(asked.pool),
      activity,
      args: [{ place: { source, run, project, store }, ...input }],
      answer,
      waitSeconds: 5,
      answerSeconds: 120,
      nobody:
        'host' in asked
          ? `host ${asked.host} does not answer, which has the files of run ${run}`
          : `no worker serves pool ${asked.pool}, whose workers read the store of run ${run}`,
      summary: `${activity} of ${run}`,
      leavesNoTrace: true,
    });
  }
}
