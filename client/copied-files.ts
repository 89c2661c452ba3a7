/** Copies of a run's files on this machine: from its host while they are there, from its store afterwards. */
import { createHash } from 'node:crypto';
import { link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { shownValue } from '../contracts/config-problems.ts';
import { relativePath } from '../contracts/names.ts';
import { type Receipt, receiptSchema } from '../contracts/receipt.ts';
import { nearestBytes } from './direct-bytes.ts';
import { ConfigError, FileNotFoundError, WorkerFailedError } from './errors.ts';
import type { FilesPlace } from './run-files.ts';
import { firstThatHas, type RunPlaces } from './run-places.ts';
import type { TrainingClient } from './training-client.ts';

export interface CopyOptions {
  /** Files that are there already are replaced. */
  force?: boolean;
  signal?: AbortSignal;
  /** Hears the path of each file before it is copied. */
  onFile?: (path: string) => void;
}

export interface Copied {
  files: string[];
  bytes: number;
  /** The file, or the folder, that was made. */
  target: string;
}

interface Found {
  place: FilesPlace;
  path: string;
  size: number;
}

type Source = Pick<TrainingClient, 'places' | 'files'>;

/**
 * `path`: a file or folder of the run; empty for all. As `cp -r` does, what is copied goes into `target` where that is a folder.
 * A copy is written beside its name, compared with the sha256 that the run has told of it, and then given its name. Throws
 * FileNotFoundError, and ConfigError where `target` is there already.
 */
export async function copyFiles(
  client: Source,
  run: string,
  path: string,
  target: string,
  { force = false, signal, onFile }: CopyOptions = {},
): Promise<Copied> {
  const places = await client.places(run);
  const found = await filesAt(client, run, path, places);
  const isInto = await stat(target).then(
    (there) => there.isDirectory(),
    () => false,
  );
  const root = isInto ? join(target, basename(path || run)) : target;
  const copies = found.map((file) => ({ file, to: file.path === path ? root : join(root, inside(file.path, path)) }));
  if (!force) for (const { to } of copies) await requireFree(to);
  const known = found[0] ? await digestsAt(client, found[0].place, places) : new Map<string, string>();
  for (const { file, to } of copies) {
    onFile?.(file.path);
    const further = places.places.slice(places.places.indexOf(file.place));
    await copy(client, file, to, { further, expected: known.get(file.path) ?? null, force, signal });
  }
  return { files: copies.map(({ to }) => to), bytes: found.reduce((sum, { size }) => sum + size, 0), target: root };
}

const inside = (file: string, folder: string): string => (folder === '' ? file : file.slice(folder.length + 1));

async function filesAt(client: Source, run: string, path: string, places: RunPlaces): Promise<Found[]> {
  const what = path === '' ? `a folder of run ${run}` : `${JSON.stringify(path)} of run ${run}`;
  const { found } = await firstThatHas(places, what, async (place) => {
    const file = path === '' ? null : await fileAt(client, place, path);
    if (file !== null) return [file];
    const files = await filesBelow(client, place, path);
    return files.length === 0 ? null : files;
  });
  return found;
}

/** Null where it is a folder, or nothing: a store refuses to read what is not a file. */
async function fileAt(client: Source, place: FilesPlace, path: string): Promise<Found | null> {
  const folder = dirname(path);
  const listed = await client.files.list(place, folder === '.' ? null : folder);
  const entry = listed?.entries.find(({ name }) => name === basename(path));
  if (entry) return entry.kind === 'file' ? { place, path, size: entry.size } : null;
  if (listed === null || listed.all) return null;
  const size = await client.files.size(place, path);
  return size === null ? null : { place, path, size };
}

async function filesBelow(client: Source, place: FilesPlace, folder: string): Promise<Found[]> {
  const listed = await client.files.list(place, folder || null);
  if (listed === null) return [];
  if (!listed.all)
    throw new FileNotFoundError(
      `${folder || 'the run'} has more files than are listed (${listed.entries.length}): copy its folders one by one`,
    );
  const files: Found[] = [];
  for (const { name, kind, size } of listed.entries) {
    const path = relativePath.safeParse(folder ? `${folder}/${name}` : name);
    // It comes from elsewhere, and becomes a path here.
    if (!path.success || name.includes('/')) throw new WorkerFailedError(`${shownValue(name)} is not a file name`);
    if (kind === 'file') files.push({ place, path: path.data, size });
    else files.push(...(await filesBelow(client, place, path.data)));
  }
  return files;
}

/** By path. Of what is published the receipt beside it knows, of checkpoints on a host the run; of what is still written nobody. */
async function digestsAt(client: Source, place: FilesPlace, { view }: RunPlaces): Promise<Map<string, string>> {
  if (place.source === 'store') return digestsIn(await receiptAt(client, place));
  // Another life than the one that the run is in has checkpoints of its own.
  if (place.run !== (view.place ?? view.run)) return new Map();
  return new Map(
    view.checkpoints.flatMap(({ name, files }) =>
      files.map(({ path, sha256 }): [string, string] => [`checkpoints/${name}/${path}`, sha256]),
    ),
  );
}

function digestsIn(receipt: Receipt | null): Map<string, string> {
  const files = [...(receipt?.files ?? []), ...(receipt?.checkpoints ?? []).flatMap((checkpoint) => checkpoint.files)];
  return new Map(files.map(({ path, sha256 }) => [path, sha256]));
}

/** Null before a run has landed. */
async function receiptAt(client: Source, place: FilesPlace): Promise<Receipt | null> {
  const file = 'receipt.json';
  const size = await client.files.size(place, file);
  if (size === null) return null;
  const parts: Uint8Array[] = [];
  for await (const part of client.files.bytes(place, file, 0, size)) parts.push(part);
  return receiptSchema.safeParse(JSON.parse(Buffer.concat(parts).toString('utf8'))).data ?? null;
}

async function requireFree(to: string): Promise<void> {
  const isThere = await stat(to).then(
    () => true,
    () => false,
  );
  if (isThere) throw taken(to);
}

const taken = (to: string) =>
  new ConfigError([], {
    message: `${JSON.stringify(to)} exists already: choose another place, or replace it with --force`,
  });

interface CopyAs {
  /** Where the file was found, and where it may have gone from there. */
  further: readonly FilesPlace[];
  expected: string | null;
  force: boolean;
  signal: AbortSignal | undefined;
}

async function copy(
  client: Source,
  { place, path, size }: Found,
  to: string,
  { further, expected, force, signal }: CopyAs,
): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const part = `${to}.${process.pid}.part`;
  try {
    const digest = createHash('sha256');
    const file = await open(part, 'wx');
    try {
      for await (const bytes of nearestBytes(client.files, further, path, { start: 0, end: size, size })) {
        signal?.throwIfAborted();
        digest.update(bytes);
        await file.writeFile(bytes);
      }
    } finally {
      await file.close();
    }
    if (expected !== null && digest.digest('hex') !== expected)
      throw new WorkerFailedError(`${path} of run ${place.run} does not have the sha256 that the run has recorded`);
    if (force) await rename(part, to);
    // Unlike a rename, a link replaces nothing that came meanwhile.
    else
      await link(part, to).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'EEXIST' ? taken(to) : error;
      });
  } finally {
    await rm(part, { force: true });
  }
}
