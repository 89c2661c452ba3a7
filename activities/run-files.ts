/** Reads files of a run for clients: on its host from the run folder, on a pool's queue from the store. */
import { ApplicationFailure } from '@temporalio/activity';
import { create as contentDisposition } from 'content-disposition';
import type { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import {
  aboutLink,
  type ListedRunFiles,
  type LogLines,
  linkRunFileSchema,
  linkSeconds,
  listRunFilesSchema,
  type RunFilesPlace,
  readRunFileSchema,
  readRunLogSchema,
  sizeOfRunFileSchema,
} from '../contracts/run-files.ts';
import { failureTypes } from '../contracts/run-messages.ts';
import { type SealedText, sealText } from '../contracts/sealed-text.ts';
import { outputPath } from '../stores/artifact-store.ts';
import type { Host } from '../worker/host.ts';
import { readLog } from '../worker/log-reader.ts';
import { HostRunFiles, type RunFiles, StoredRunFiles } from '../worker/run-files.ts';
import { withStore, working } from './activity-support.ts';

export const listRunFiles =
  (host: Host) =>
  (input: unknown): Promise<ListedRunFiles | null> => {
    const { place, folder } = parse(listRunFilesSchema, input);
    return working('list files', () => withStore(async () => (await filesOf(host, place)).list(folder)));
  };

/** Bytes of a file; null when there is none. */
export const sizeOfRunFile =
  (host: Host) =>
  (input: unknown): Promise<number | null> => {
    const { place, path } = parse(sizeOfRunFileSchema, input);
    return withStore(async () => (await (await filesOf(host, place)).readPart(path, 0, 1))?.size ?? null);
  };

/** The answer is a payload of bytes, not JSON. A file that is gone answers none. */
export const readRunFile =
  (host: Host) =>
  (input: unknown): Promise<Uint8Array> => {
    const { place, path, offset, length } = parse(readRunFileSchema, input);
    return withStore(
      async () => (await (await filesOf(host, place)).readPart(path, offset, length))?.bytes ?? new Uint8Array(),
    );
  };

/**
 * An address where anybody can download a file of a store for a few minutes. It is sealed for who has asked: what an activity answers stays in the
 * server's database for a while. Null where the store has none, and for a store that this worker does not open for others.
 */
export const linkRunFile =
  (host: Host) =>
  (input: unknown): Promise<SealedText | null> => {
    const asked = parse(linkRunFileSchema, input);
    const { place, path, key } = asked;
    return withStore(async () => {
      const chosen = place.store === null ? {} : { store: place.store };
      if (place.source !== 'store' || (await host.allowedPaths.storeProblems(chosen)).length > 0) return null;
      const address = await (await host.stores.of(chosen)).link?.(`${outputPath(place.project, place.run)}/${path}`, {
        seconds: linkSeconds,
        type: 'application/octet-stream',
        disposition: contentDisposition(path.split('/').at(-1) ?? 'file', { type: 'attachment' }),
      });
      return address ? sealText(address, key, aboutLink(asked)) : null;
    });
  };

export const readRunLog =
  (host: Host) =>
  (input: unknown): Promise<LogLines | null> => {
    const { place, ...question } = parse(readRunLogSchema, input);
    return working('read the log', (signal) =>
      withStore(async () => readLog(await filesOf(host, place), 'logs/trainer.log', question, signal)),
    );
  };

async function filesOf(host: Host, { source, run, project, store }: RunFilesPlace): Promise<RunFiles> {
  if (source === 'host') return new HostRunFiles(host.folders.of(run).path);
  return new StoredRunFiles(await host.stores.of(store === null ? {} : { store }), outputPath(project, run));
}

function parse<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error, input, schema);
  const message = problems.map(problemSentence).join('; ');
  throw ApplicationFailure.create({ type: failureTypes.invalid, message, nonRetryable: true, details: [problems] });
}
