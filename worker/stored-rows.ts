/** Rows that a run folder and its store have of one run: put together, cut back, and brought to another host. */
import { batchesFile, batchRowSchema, mostBatchBytes, positionOfRow } from '../contracts/batch-rows.ts';
import { isBefore, type Position } from '../contracts/checkpoint.ts';
import type { PublishedFile } from '../contracts/receipt.ts';
import { mostSystemBytes, type SystemPeaks, systemFile, systemRowSchema } from '../contracts/system-metrics.ts';
import { type ArtifactStore, readText } from '../stores/artifact-store.ts';
import { type RunFolder, readIfThere, replaceFile } from './run-folders.ts';
import { epochRows, jsonLines } from './run-report.ts';
import { peaksOf, systemLines } from './system/system-rows.ts';

export interface StoredRows {
  folder: RunFolder;
  store: ArtifactStore;
  /** Of the run, in the store. */
  output: string;
}

/** Of a run that is published: its folder is null where the host that had it is gone. */
type LandingRows = Omit<StoredRows, 'folder'> & { folder: RunFolder | null };

/** `metrics.jsonl` with a row for each of the first `epochs` epochs, from here and the store; `first` goes before. */
export async function restoreRows(
  { folder, store, output }: StoredRows,
  epochs: number,
  first: 'local' | 'store',
): Promise<void> {
  const local = await readIfThere(folder.metrics);
  const here = epochRows(local ?? '');
  const isComplete = Array.from({ length: epochs }, (_, index) => index + 1).every((epoch) => here.has(epoch));
  if (first === 'local' && isComplete) return;
  const stored = await storedRows(store, output);
  await replaceFile(folder.metrics, mergedRows(first === 'local' ? [local, stored] : [stored, local], epochs));
}

/** A host that was away may store late what it has: rows that another one has stored since stay. */
export async function storeRows(folder: RunFolder, store: ArtifactStore, output: string): Promise<void> {
  const local = await readIfThere(folder.metrics);
  if (local === null) return;
  const stored = await storedRows(store, output);
  // As a rule rows were added to those that are there: then nothing has to be parsed, however long the run is.
  const rows = local.startsWith(stored) ? local : mergedRows([local, stored]);
  await store.write(`${output}/metrics.jsonl`, rows);
}

/** `metrics.jsonl` as the store has it; empty where there is none. */
async function storedRows(store: ArtifactStore, output: string): Promise<string> {
  return (await readText(store, `${output}/metrics.jsonl`)) ?? '';
}

/** Rows of the first `epochs` epochs, or of all, of several `metrics.jsonl`; of two with one epoch that of the earlier text. */
export const mergedRows = (texts: readonly (string | null)[], epochs?: number): string =>
  linesOf(new Map([...texts].reverse().flatMap((text) => [...epochRows(text ?? '')])), epochs);

/** Drops rows after the first `epochs` epochs: of an epoch that was trained, and whose checkpoint was never whole. */
export async function cutRows(folder: RunFolder, epochs: number): Promise<void> {
  const text = await readIfThere(folder.metrics);
  if (text !== null && firstRows(text, epochs) !== text) await replaceFile(folder.metrics, firstRows(text, epochs));
}

/** The rows of the first `epochs` epochs of a `metrics.jsonl`. */
export const firstRows = (text: string, epochs: number): string =>
  [...epochRows(text).keys()].some((epoch) => epoch > epochs) ? linesOf(epochRows(text), epochs) : text;

function linesOf(rows: ReadonlyMap<number, unknown>, epochs = Number.POSITIVE_INFINITY): string {
  const wanted = [...rows].filter(([epoch]) => epoch <= epochs).sort(([a], [b]) => a - b);
  return wanted.map(([, row]) => `${JSON.stringify(row)}\n`).join('');
}

/**
 * What the host before has left in the store, where that has handed the run over: what comes about here goes on from there. A disk that takes
 * none of it costs these rows, and no session.
 */
export async function restoreOtherRows({ folder, store, output }: StoredRows): Promise<void> {
  for (const { path, name, most, merged } of others(folder)) {
    const stored = await readText(store, `${output}/${name}`);
    // This host may have had the run before that one.
    if (stored !== null)
      await replaceFile(path, merged([await readIfThere(path, most), stored])).catch(() => undefined);
  }
}

/** For the next host. */
export async function storeOtherRows({ folder, store, output }: StoredRows): Promise<void> {
  for (const { path, name, most, merged } of others(folder)) {
    const local = await readIfThere(path, most);
    if (local !== null) await store.write(`${output}/${name}`, merged([local]));
  }
}

const others = (folder: RunFolder) =>
  [
    { path: folder.system, name: systemFile, most: mostSystemBytes, merged: mergedSystemRows },
    { path: folder.batches, name: batchesFile, most: mostBatchBytes, merged: mergedBatchRows },
  ] as const;

/** Of two with one time the later text's. */
function mergedSystemRows(texts: readonly (string | null)[]): string {
  const rows = new Map(texts.flatMap((text) => jsonLines(systemRowSchema, text)).map((row) => [row.at, row]));
  return systemLines([...rows.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)));
}

/** Of two with one position the later text's; with `position`, none of a batch that was trained after it. */
export function mergedBatchRows(texts: readonly (string | null)[], position?: Position): string {
  const rows = new Map(
    texts.flatMap((text) => jsonLines(batchRowSchema, text)).map((row) => [`${row.epoch}/${row.batch}`, row]),
  );
  return [...rows.values()]
    .filter((row) => position === undefined || !isBefore(position, positionOfRow(row)))
    .sort((a, b) => a.epoch - b.epoch || a.batch - b.batch)
    .map((row) => `${JSON.stringify(row)}\n`)
    .join('');
}

/**
 * Rows of batches that are part of the result, up to `position`: where others have to go, the file in the store that has none of them. Null
 * where that of the run folder can be published as it is, or there is none. Nothing is written in the run folder: its disk may be full.
 */
export async function cutBatchRows(
  { folder, store, output }: LandingRows,
  position: Position,
): Promise<PublishedFile | null> {
  const local = folder && (await readIfThere(folder.batches, mostBatchBytes));
  if (local !== null && areUpTo(local, position)) return null;
  const path = `${output}/${batchesFile}`;
  const rows = local ?? (await readText(store, path));
  return rows === null ? null : store.write(path, mergedBatchRows([rows], position));
}

/** Whole rows alone, in order, and none beyond. */
function areUpTo(text: string, position: Position): boolean {
  const rows = jsonLines(batchRowSchema, text).map(positionOfRow);
  const isInOrder = rows.every((row, index) => {
    const before = rows[index - 1];
    return !isBefore(position, row) && (before === undefined || isBefore(before, row));
  });
  return isInOrder && rows.length === text.split('\n').length - 1 && (text === '' || text.endsWith('\n'));
}

/**
 * What of it is published, by its peaks; null where nobody measured. `file`: it is not in the run folder, but the host before left it in the
 * store; written once more, so that the receipt names it.
 */
export async function storedSystemRows({ folder, store, output }: LandingRows): Promise<{
  peaks: SystemPeaks | null;
  file: PublishedFile | null;
}> {
  const local = folder && (await readIfThere(folder.system, mostSystemBytes));
  if (local !== null) return { peaks: peaksOf(jsonLines(systemRowSchema, local)), file: null };
  const path = `${output}/${systemFile}`;
  const stored = await readText(store, path);
  if (stored === null) return { peaks: null, file: null };
  return { peaks: peaksOf(jsonLines(systemRowSchema, stored)), file: await store.write(path, stored) };
}
