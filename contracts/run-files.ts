/**
 * Reading the files of a run: `listRunFiles`, `readRunFile`, `readRunLog` on the control queue of the host that has its
 * folder, or on that of its pool for what is published in the store.
 */
import { z } from 'zod';
import { name, placeName, relativePath } from './names.ts';
import { publicKeySchema } from './sealed-text.ts';
import { extensible } from './tolerance.ts';

export const fileSourceSchema = z.enum(['host', 'store']);
export type FileSource = z.infer<typeof fileSourceSchema>;

/** Bytes in one answer at most: payloads have to stay small, so a file is read part by part. */
export const largestPart = 256 * 1024;
/** Lines of a log in one answer at most. */
export const mostLogLines = 2_000;
/** Entries in one listing at most. */
export const mostEntries = 5_000;

export const runFilesSchema = extensible({
  source: fileSourceSchema,
  /** The run id, or `<run>@<8 digits>` for another life of it. */
  run: placeName,
  project: name,
  /** As in the run's configuration; null: the store of the worker that is asked. */
  store: z.string().nullable(),
});
export type RunFilesPlace = z.infer<typeof runFilesSchema>;

export const listRunFilesSchema = extensible({ place: runFilesSchema, folder: relativePath.nullable() });
export type ListRunFiles = z.infer<typeof listRunFilesSchema>;

export const listedRunFilesSchema = extensible({
  entries: z.array(extensible({ name: z.string(), kind: z.enum(['folder', 'file']), size: z.int().min(0) })),
  /** False: there are more than `mostEntries`. */
  all: z.boolean(),
});
export type ListedRunFiles = z.infer<typeof listedRunFilesSchema>;

export const sizeOfRunFileSchema = extensible({ place: runFilesSchema, path: relativePath });
export type SizeOfRunFile = z.infer<typeof sizeOfRunFileSchema>;

/** Answers the bytes themselves: fewer than asked for at the end of the file. */
export const readRunFileSchema = extensible({
  ...sizeOfRunFileSchema.shape,
  offset: z.int().min(0),
  length: z.int().min(1).max(largestPart),
});
export type ReadRunFile = z.infer<typeof readRunFileSchema>;

/** Seconds for which a link to a stored file is good: it is a credential. */
export const linkSeconds = 300;

/** `linkRunFile`, of a file in a store: its address there, sealed for `key`; null where it has none, and is to be read part by part. */
export const linkRunFileSchema = extensible({ ...sizeOfRunFileSchema.shape, key: publicKeySchema });
export type LinkRunFile = z.infer<typeof linkRunFileSchema>;
/** What the answer is sealed to be about. */
export const aboutLink = ({ place, path }: Pick<LinkRunFile, 'place' | 'path'>): string =>
  JSON.stringify([place.store, place.project, place.run, path]);

export const readRunLogSchema = extensible({
  place: runFilesSchema,
  /** Null: the last lines. */
  offset: z.int().min(0).nullable(),
  lines: z.int().min(1).max(mostLogLines),
  search: z.string().max(200).nullable(),
  /** Nothing more is written: a last line without its end is told, too. */
  complete: z.boolean(),
});
export type ReadRunLog = z.infer<typeof readRunLogSchema>;

export const logLinesSchema = extensible({
  /** Bytes of the whole log now. */
  size: z.int().min(0),
  lines: z.array(
    extensible({
      /** Byte where the line begins: `offset` to read from here. */
      offset: z.int().min(0),
      text: z.string(),
    }),
  ),
  /** Byte after the last line that was looked at: `offset` of the next request, also for what is still to be written. */
  next: z.int().min(0),
});
export type LogLines = z.infer<typeof logLinesSchema>;

/** `removeResults`: the output folder of a run that is over, with all in it. */
export const removeResultsSchema = extensible({
  place: runFilesSchema,
  /** Null: of a run that was not pinned to its store yet. */
  storeIdentity: z.string().nullable(),
  /** Executions of the life whose results they are. */
  chain: z.array(z.string()).min(1),
});
export type RemoveResults = z.infer<typeof removeResultsSchema>;
