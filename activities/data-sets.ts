/** Data sets of a host for those who choose one: which there are, what is in them, and their images. */
import { ApplicationFailure } from '@temporalio/activity';
import type { DataSetDetails, DataSetItems, DataSetSummary } from '../contracts/data-set.ts';
import { askDataSetItemsSchema, readDataSetImageSchema, sizeOfDataSetImageSchema } from '../contracts/data-set.ts';
import { failureTypes } from '../contracts/run-messages.ts';
import { DataSetProblem } from '../worker/data-sets.ts';
import type { Host } from '../worker/host.ts';
import { working } from './activity-support.ts';

export const listDataSets = (host: Host) => (): Promise<DataSetSummary[]> =>
  asked('list the data sets', (options) => host.dataSets.list(options));

export const dataSetDetails =
  (host: Host) =>
  (id: unknown): Promise<DataSetDetails> =>
    asked('read a data set', (options) => host.dataSets.details(String(id), options));

export const dataSetItems =
  (host: Host) =>
  (input: unknown): Promise<DataSetItems> =>
    asked('read a data set', (options) => {
      const { id, ...which } = askDataSetItemsSchema.parse(input);
      return host.dataSets.items(id, which, options);
    });

/** Bytes of an image; null when there is none. */
export const sizeOfDataSetImage =
  (host: Host) =>
  (input: unknown): Promise<number | null> =>
    asked('show an image', async (options) => {
      const { id, item } = sizeOfDataSetImageSchema.parse(input);
      return (await host.dataSets.readPart(id, item, 0, 1, options))?.size ?? null;
    });

/** The answer is a payload of bytes, not JSON. */
export const readDataSetImage =
  (host: Host) =>
  (input: unknown): Promise<Uint8Array> =>
    asked('read an image', async (options) => {
      const { id, item, offset, length } = readDataSetImageSchema.parse(input);
      return (await host.dataSets.readPart(id, item, offset, length, options))?.bytes ?? new Uint8Array();
    });

interface CallOptions {
  signal: AbortSignal;
  onProgress: (doing: string) => void;
}

/** What is wrong with a data set is an answer, not a defect to be tried again. */
const asked = <T>(first: string, work: (options: CallOptions) => Promise<T>): Promise<T> =>
  working(first, async (signal, progress) => {
    try {
      return await work({ signal, onProgress: (doing) => (progress.doing = doing) });
    } catch (error) {
      if (!(error instanceof DataSetProblem)) throw error;
      throw ApplicationFailure.create({ type: failureTypes.invalid, message: error.message, nonRetryable: true });
    }
  });
