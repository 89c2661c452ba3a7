/** What a run folder holds, read from disk alone: a restarted worker answers what the one before would have. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { originSchema } from '../contracts/asked.ts';
import { type CheckpointManifest, checkpointManifestSchema, isBefore, type Position } from '../contracts/checkpoint.ts';
import { lifeSchema } from '../contracts/life.ts';
import { name } from '../contracts/names.ts';
import {
  type EarlyEnd,
  type EpochResult,
  epochResultSchema,
  eventSchema,
  type TrainerEvent,
} from '../contracts/protocol.ts';
import type { Known } from '../contracts/run-activities.ts';
import { type RunConfig, storedRunConfigSchema } from '../contracts/run-config.ts';
import type { SessionReport } from '../contracts/session.ts';
import { extensible } from '../contracts/tolerance.ts';
import { inGroups } from './in-groups.ts';
import { ifMissing, type RunFolder, readEnd } from './run-folders.ts';
import { UnchangedFiles } from './unchanged-files.ts';

export const start: Position = { epoch: 0, batch: 0 };

/** `run.json`, the first thing that a session writes. */
export const runFileSchema = extensible({
  run: z.string(),
  config: storedRunConfigSchema,
  host: z.string(),
  life: lifeSchema,
  origin: originSchema.optional(),
});
export type RunFile = z.infer<typeof runFileSchema>;

/** Null where there is none, or none that can be read. */
export const readRunFile = (folder: RunFolder): Promise<RunFile | null> => runFiles.read(folder.config);

const runFiles = new UnchangedFiles((text) => parseJson(runFileSchema, text));

export const readRunConfig = async (folder: RunFolder): Promise<RunConfig | null> =>
  (await readRunFile(folder))?.config ?? null;

/** Whole checkpoints by their manifests, oldest first. Their files are not read; `checkpoints.ts` verifies. */
export const readManifests = (folder: RunFolder): Promise<CheckpointManifest[]> => manifestsIn(folder.checkpoints);

/** The same of a folder of checkpoints. */
export async function manifestsIn(path: string): Promise<CheckpointManifest[]> {
  const entries = await readdir(path).catch(ifMissing<string[]>([]));
  const manifests = await inGroups(
    entries.filter((entry) => name.safeParse(entry).success),
    (entry) => readManifest(join(path, entry), entry),
  );
  return manifests.filter((manifest) => manifest !== null).sort((a, b) => (isBefore(a, b) ? -1 : 1));
}

/** Null when there is no manifest, or none that can be trusted. */
export async function readManifest(path: string, checkpoint: string): Promise<CheckpointManifest | null> {
  const manifest = await manifests.read(join(path, 'checkpoint.json'));
  return manifest?.name === checkpoint ? manifest : null;
}

/** Each epoch reads all that are there, and changes one. */
const manifests = new UnchangedFiles((text) => parseJson(checkpointManifestSchema, text));

/** Checkpoints within epochs that a report tells of: the newest, and what there is where that turns out to be damaged. */
const toldWithinEpochs = 2;

/**
 * Complete epochs and checkpoints beyond what is known. An epoch counts once a checkpoint at or after its end is
 * on disk: what was trained but not saved is trained again, and would be told twice.
 *
 * A report has an end, however many checkpoints lie in the folder: of those within epochs the newest count, and what a
 * run has passed and does not keep was decided about.
 *
 * Whether the trainer ended early is told of `session` alone: another one may have continued elsewhere since.
 */
export async function readReport(
  folder: RunFolder,
  known: Known,
  session: string | null = null,
): Promise<SessionReport> {
  // Before the checkpoints: the trainer may train on meanwhile, and tells of an end only once its checkpoint is there.
  const kept = await readKeptEvents(folder);
  const endedEarly = session === null ? null : earlyEndOf(eventsOf(kept, session));
  const manifests = await readManifests(folder);
  const position = manifests.at(-1) ?? start;
  const epochs = (await readEpochsAfter(folder, known.epoch)).filter(({ epoch }) => epoch <= position.epoch);
  const newestKnown = manifests.findLastIndex(({ name }) => known.checkpoints.includes(name));
  const within = manifests.slice(newestKnown + 1).filter(({ batch }) => batch > 0);
  const told = new Set([
    ...manifests.filter(
      ({ name, epoch, batch }) => batch === 0 && epoch > known.epoch && !known.checkpoints.includes(name),
    ),
    ...within.slice(-toldWithinEpochs),
  ]);
  return {
    epochs,
    checkpoints: manifests.filter((manifest) => told.has(manifest)),
    position: { epoch: position.epoch, batch: position.batch },
    notes: eventsOf(kept, null)
      .flatMap((event) => (event.type === 'note' ? [event.message] : []))
      .slice(-50),
    ...(endedEarly ? { endedEarly } : {}),
  };
}

function earlyEndOf(events: readonly TrainerEvent[]): EarlyEnd | null {
  const told = events.findLast((event) => event.type === 'endedEarly');
  return told ? { epoch: told.epoch, reason: told.reason } : null;
}

/** Rows after `epoch`, in order. Read from the end, so that a long run's thousandth epoch costs what its first did. */
async function readEpochsAfter(folder: RunFolder, epoch: number): Promise<EpochResult[]> {
  for (let bytes = 1 << 12; ; bytes *= 8) {
    const { text, isWhole } = await readEnd(folder.metrics, bytes);
    const rows = jsonLines(epochResultSchema, text);
    const known = rows.findLastIndex((row) => row.epoch <= epoch);
    if (known >= 0 || isWhole) return rows.slice(known + 1);
  }
}

/** Rows of a `metrics.jsonl` by their epochs; of two with one epoch the later. */
export const epochRows = (text: string): Map<number, EpochResult> =>
  new Map(jsonLines(epochResultSchema, text).map((row) => [row.epoch, row]));

/** How much of `events.jsonl` is read: a trainer may have noted any number of things, and the last ones are what is told. */
const mostOfEvents = 1 << 20;

/** One line of `events.jsonl`. */
export const keptEventSchema = extensible({ session: z.string(), at: z.iso.datetime(), event: eventSchema });

/** The last events that were kept of a session, or of all sessions of this folder, in order. */
export async function readEvents(folder: RunFolder, session: string | null = null): Promise<TrainerEvent[]> {
  return eventsOf(await readKeptEvents(folder), session);
}

type KeptEvent = z.infer<typeof keptEventSchema>;

const readKeptEvents = async (folder: RunFolder): Promise<KeptEvent[]> =>
  jsonLines(keptEventSchema, (await readEnd(folder.events, mostOfEvents)).text);

const eventsOf = (kept: readonly KeptEvent[], session: string | null): TrainerEvent[] =>
  kept.filter((line) => session === null || line.session === session).map(({ event }) => event);

/** A last line that a crash cut short is not a line. */
export function jsonLines<T extends z.ZodType>(schema: T, text: string | null): z.output<T>[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const value = line === '' ? null : parseJson(schema, line);
    return value === null ? [] : [value];
  });
}

/** Null for what is no JSON, or other than the schema says. */
export function parseJson<T extends z.ZodType>(schema: T, text: string): z.output<T> | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
