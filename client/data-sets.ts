/** Data sets on the hosts, read through their workers. */
import { z } from 'zod';
import {
  type DataSetDetails,
  type DataSetItems,
  type DataSetSummary,
  dataSetDetailsSchema,
  dataSetItemsSchema,
  dataSetSummarySchema,
} from '../contracts/data-set.ts';
import { largestPart } from '../contracts/run-files.ts';
import type { WorkerQuestions } from './worker-questions.ts';

/** Every method throws NoWorkerError, WorkerFailedError, ConfigError (no such data set, or none that can be read). */
export class DataSets {
  constructor(readonly workers: WorkerQuestions) {}

  list(host: string): Promise<DataSetSummary[]> {
    return this.#ask(host, 'listDataSets', undefined, z.array(dataSetSummarySchema));
  }

  details(host: string, id: string): Promise<DataSetDetails> {
    return this.#ask(host, 'dataSetDetails', id, dataSetDetailsSchema);
  }

  items(
    host: string,
    question: { id: string; split: string | null; className: string | null; offset: number; limit: number },
  ): Promise<DataSetItems> {
    return this.#ask(host, 'dataSetItems', question, dataSetItemsSchema);
  }

  /** Bytes; null when there is no such image. */
  imageSize(host: string, id: string, item: string): Promise<number | null> {
    return this.#ask(host, 'sizeOfDataSetImage', { id, item }, z.int().min(0).nullable());
  }

  /** In order. */
  async *image(host: string, id: string, item: string, size: number): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < size; offset += largestPart) {
      const length = Math.min(largestPart, size - offset);
      const bytes = await this.#ask(host, 'readDataSetImage', { id, item, offset, length }, z.instanceof(Uint8Array));
      if (bytes.length !== length) throw new Error(`${item} has become shorter while it was read`);
      yield bytes;
    }
  }

  #ask<T>(host: string, activity: string, input: unknown, answer: z.ZodType<T>): Promise<T> {
    const args = input === undefined ? [] : [input];
    return this.workers.ask({ ...this.workers.hostQuestion(host), activity, args, answer, summary: activity });
  }
}
