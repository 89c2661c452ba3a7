/** A trainer's pages in a run folder and its store: rows are cut back with the run, and files follow the rows that name them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isBefore, type Position } from '../contracts/checkpoint.ts';
import type { PublishedFile } from '../contracts/receipt.ts';
import { layoutFile, pageRowsFile, pagesFolder } from '../contracts/ui.ts';
import { keyOfPageRow, mostPageRowsBytes, type PageRow, pageRowSchema } from '../contracts/ui-values.ts';
import { type ArtifactStore, readText, type TransferOptions } from '../stores/artifact-store.ts';
import { sha256Hex } from '../stores/sha256.ts';
import { fileInside } from './inside.ts';
import { type RunFolder, readIfThere, replaceFile, sizeOf } from './run-folders.ts';
import { jsonLines } from './run-report.ts';

interface StoredPages {
  folder: RunFolder;
  store: ArtifactStore;
  /** Of the run, in the store. */
  output: string;
  options?: TransferOptions;
}

const rowsIn = (folder: RunFolder) => readIfThere(join(folder.path, pageRowsFile), mostPageRowsBytes);

/** Of two with one key the later text's; with `position`, none that was shown after it. */
export function mergedPageRows(texts: readonly (string | null)[], position?: Position): PageRow[] {
  const rows = new Map<string, PageRow>();
  for (const row of texts.flatMap((text) => jsonLines(pageRowSchema, text))) {
    if (position !== undefined && isBefore(position, row.position)) continue;
    rows.delete(keyOfPageRow(row));
    rows.set(keyOfPageRow(row), row);
  }
  return [...rows.values()];
}

const textOf = (rows: readonly PageRow[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const filesOf = (rows: readonly PageRow[]) => [...new Set(rows.flatMap(({ files }) => Object.keys(files)))];
const isPageFile = (path: string) => path === pageRowsFile || path.startsWith(`${pagesFolder}/`);

export interface LandedPages {
  /** In the store, beside what is published from the run folder. */
  files: PublishedFile[];
  /** Of the run folder: not to be published as it is. */
  isLeftOut: (path: string) => boolean;
}

/**
 * What was shown up to `position` is part of the result. The rows are written to the store alone, as the run folder may be on a disk that is
 * full; files that no row names are not published, and go from the store. A folder that is null is on a host that is gone.
 */
export async function landPages(
  { folder, store, output }: Omit<StoredPages, 'folder'> & { folder: RunFolder | null },
  position: Position,
): Promise<LandedPages> {
  const local = folder && (await rowsIn(folder));
  const text = local ?? (await readText(store, `${output}/${pageRowsFile}`));
  if (text === null) return { files: [], isLeftOut: () => false };
  const rows = mergedPageRows([text], position);
  const named = new Set(filesOf(rows));
  const strays: string[] = [];
  const there: string[] = [];
  for await (const { path } of store.list(`${output}/${pagesFolder}`))
    (named.has(path.slice(output.length + 1)) ? there : strays).push(path);
  await store.removeFiles(strays);
  const files = [await store.write(`${output}/${pageRowsFile}`, textOf(rows))];
  // What the host before has left there, and this one does not have.
  const further = [...there, ...(local === null ? [`${output}/${layoutFile}`] : [])];
  for (const path of further) {
    if (folder && (await sizeOf(join(folder.path, path.slice(output.length + 1)))) !== null) continue;
    const file = await store.verify(path);
    if (file) files.push(file);
  }
  return { files, isLeftOut: (path) => isPageFile(path) && !named.has(path) };
}

/** For the next host. */
export async function storePages({ folder, store, output, options }: StoredPages): Promise<void> {
  const text = await rowsIn(folder);
  const layout = await readIfThere(join(folder.path, layoutFile));
  if (layout !== null) await writeChanged(store, `${output}/${layoutFile}`, layout);
  if (text === null) return;
  const rows = mergedPageRows([text]);
  for (const file of filesOf(rows)) {
    // A link that leads out of the run folder, and what is no file, is left out as it is when the run is published.
    const path = await fileInside(folder.path, file);
    if (path !== null) await store.publish(path, `${output}/${file}`, options);
  }
  await writeChanged(store, `${output}/${pageRowsFile}`, textOf(rows));
}

/** As `publish` of a file: a store writes all that it is given, and a run is handed over more often than it shows something. */
async function writeChanged(store: ArtifactStore, path: string, text: string): Promise<void> {
  const there = await store.verify(path);
  if (there?.sha256 !== sha256Hex(text)) await store.write(path, text);
}

/** What the host before has left in the store. A disk that takes none of it costs these pages, and no session. */
export async function restorePages({ folder, store, output, options }: StoredPages): Promise<void> {
  const stored = await readText(store, `${output}/${pageRowsFile}`);
  if (stored === null) return;
  const rows = mergedPageRows([await rowsIn(folder), stored]);
  try {
    await mkdir(join(folder.path, pagesFolder), { recursive: true });
    for (const file of filesOf(rows)) {
      const path = join(folder.path, file);
      if ((await sizeOf(path)) !== null) continue;
      const there = await store.verify(`${output}/${file}`);
      if (there) await store.fetch(`${output}/${file}`, path, there, options);
    }
    await replaceFile(join(folder.path, pageRowsFile), textOf(rows));
  } catch {
    options?.signal?.throwIfAborted();
  }
}
