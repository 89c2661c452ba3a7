/** The folders of runs on this host. All paths are made here, from names that the contracts have checked. */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { batchesFile } from '../contracts/batch-rows.ts';
import { dataReportFile } from '../contracts/data-report.ts';
import { runAt } from '../contracts/life.ts';
import { name, placeName } from '../contracts/names.ts';
import { systemFile } from '../contracts/system-metrics.ts';
import { codeOf } from '../stores/file-errors.ts';
import { makePrivate } from './private-folder.ts';

export interface RunFolder {
  run: string;
  /** Its name: the run id, or `<run>@<8 digits>` for another life of the run. */
  place: string;
  path: string;
  checkpoints: string;
  /** What its trainer saved between checkpoints: of no use to anybody but the next trainer here. */
  snapshots: string;
  /** Checkpoints that were found damaged, for people to look at. */
  damaged: string;
  logs: string;
  artifacts: string;
  metrics: string;
  system: string;
  batches: string;
  dataReport: string;
  materials: string;
  trainerLog: string;
  events: string;
  session: string;
  process: string;
  exit: string;
  config: string;
  /** Of a session in a container, by the worker; beside the run folders, where no trainer writes. */
  container: string;
}

export class RunFolders {
  readonly #root: string;
  /** Where files lie on their way from one place in a store to another. */
  readonly moving: string;

  constructor(readonly dataFolder: string) {
    this.#root = join(dataFolder, 'runs');
    this.moving = join(dataFolder, 'moving');
  }

  /** The paths of a run's folder; nothing is made. Throws for what is no name of one. */
  of(place: string): RunFolder {
    const path = join(this.#root, placeName.parse(place));
    return {
      run: runAt(place),
      place,
      path,
      checkpoints: join(path, 'checkpoints'),
      snapshots: join(path, 'snapshots'),
      damaged: join(path, 'damaged'),
      logs: join(path, 'logs'),
      artifacts: join(path, 'artifacts'),
      metrics: join(path, 'metrics.jsonl'),
      system: join(path, systemFile),
      batches: join(path, batchesFile),
      dataReport: join(path, dataReportFile),
      materials: join(path, 'materials.json'),
      trainerLog: join(path, 'logs', 'trainer.log'),
      events: join(path, 'logs', 'events.jsonl'),
      session: join(path, 'session.json'),
      process: join(path, 'process.json'),
      exit: join(path, 'exit.json'),
      config: join(path, 'run.json'),
      container: join(this.dataFolder, 'containers', `${place}.json`),
    };
  }

  async make(place: string): Promise<RunFolder> {
    const folder = this.of(place);
    for (const path of [folder.checkpoints, folder.artifacts]) await mkdir(path, { recursive: true });
    await makePrivate(folder.logs);
    return folder;
  }

  async list(): Promise<RunFolder[]> {
    const entries = await readdir(this.#root, { withFileTypes: true }).catch(ifMissing([]));
    return entries
      .filter((entry) => entry.isDirectory() && placeName.safeParse(entry.name).success)
      .map((entry) => this.of(entry.name));
  }

  async remove(place: string): Promise<void> {
    // A supervisor on its own may be writing how its trainer ended, in one file and a rename: such a folder is not empty.
    await rm(this.of(place).path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** Null for what cannot be looked at. */
export const sizeOf = (path: string): Promise<number | null> =>
  stat(path).then(
    ({ size }) => size,
    () => null,
  );

/** Bytes of all files below a folder, or what else `of` makes of them; 0 when there is none. */
export async function folderBytes(
  path: string,
  of: (file: Pick<Stats, 'size' | 'blocks'>) => number = ({ size }) => size,
): Promise<number> {
  let bytes = 0;
  for await (const file of filesBelow(path))
    bytes += of(await stat(join(path, file)).catch(ifMissing({ size: 0, blocks: 0 })));
  return bytes;
}

/** Relative paths of all regular files below a folder, in order; links are not followed, but told to `onLink`. */
export async function* filesBelow(
  path: string,
  prefix = '',
  onLink: (path: string) => void = () => undefined,
): AsyncGenerator<string> {
  const entries = await readdir(join(path, prefix), { withFileTypes: true }).catch(ifMissing([]));
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inside = prefix ? `${prefix}/${entry.name}` : entry.name;
    if (entry.isDirectory()) yield* filesBelow(path, inside, onLink);
    else if (entry.isFile()) yield inside;
    else if (entry.isSymbolicLink()) onLink(inside);
  }
}

/** Files that matter to this host alone, and are neither published nor missed. */
export const isBookkeeping = (path: string): boolean =>
  /^(start|damaged|snapshots|ranks-[^/]+)\//.test(path) ||
  /^[^/]+\.tmp$/.test(path) ||
  ['lock', 'session.json', 'process.json', 'exit.json', 'kept.json', 'materials.json'].includes(path);

/** Replaces a small file in one step: readers see the old or the new content, whole, also after a crash. */
export async function replaceFile(path: string, content: string, mode = 0o666): Promise<void> {
  const beside = `${path}.${randomUUID()}.tmp`;
  const file = await open(beside, 'w', mode);
  try {
    await file.writeFile(content);
    await file.sync();
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** What is opened is what is at the path itself, and a pipe that nobody writes to holds nobody up. */
const asItIs = constants.O_NOFOLLOW | constants.O_NONBLOCK;

const openAsItIs = (path: string): Promise<FileHandle | null> =>
  open(path, constants.O_RDONLY | asItIs).catch((error: unknown) => {
    if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') return null;
    return ifMissing(null)(error as NodeJS.ErrnoException);
  });

/**
 * The content of a file, or null where there is none, or more than `most` bytes. A link, a folder or a pipe in its place is none: a trainer
 * may have put it there.
 */
export async function readIfThere(path: string, most = Number.POSITIVE_INFINITY): Promise<string | null> {
  const file = await openAsItIs(path);
  if (!file) return null;
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > most) return null;
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Not where a link leads, and to no pipe. Throws where there is one. */
export async function appendToFile(path: string, text: string): Promise<void> {
  const file = await open(path, constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | asItIs);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

/** The lines in the last `bytes` of a file, whole ones alone, and whether that is all of it. Empty where there is none, as above. */
export async function readEnd(path: string, bytes: number): Promise<{ text: string; isWhole: boolean }> {
  const file = await openAsItIs(path);
  if (!file) return { text: '', isWhole: true };
  try {
    const found = await file.stat();
    if (!found.isFile()) return { text: '', isWhole: true };
    const { size } = found;
    const begin = Math.max(0, size - bytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - begin), 0, size - begin, begin);
    const text = buffer.toString('utf8', 0, bytesRead);
    return begin === 0 ? { text, isWhole: true } : { text: text.slice(text.indexOf('\n') + 1), isWhole: false };
  } finally {
    await file.close();
  }
}

/** How what is in a data folder is laid out: 2 since run folders say which life of their run they belong to. */
const layout = 2;

/** A data folder that another version made, and that would be misread. */
export class OtherLayout extends Error {
  override readonly name = 'OtherLayout';
}

/**
 * This host's id: made once, kept in the data folder, so that a restarted worker finds its runs and they find it. Throws OtherLayout
 * for a data folder of another version that has run folders.
 */
export async function hostId(dataFolder: string): Promise<string> {
  const path = join(dataFolder, 'host.json');
  await makePrivate(dataFolder);
  const known = await readIfThere(path);
  if (known !== null) {
    const file = JSON.parse(known);
    const host = name.parse(file.host);
    if (file.layout === layout) return host;
    await requireOwnLayout(dataFolder, file.layout ?? 1);
    await replaceFile(path, JSON.stringify({ host, layout }));
    return host;
  }
  const made = `${
    hostname()
      .replace(/[^A-Za-z0-9-]/g, '-')
      .replace(/^-+/, '')
      .slice(0, 40) || 'host'
  }-${randomUUID().slice(0, 8)}`;
  // Written beside, then linked: a worker that is killed here leaves no half-written id that no later one could read.
  const beside = `${path}.${randomUUID()}.tmp`;
  await replaceFile(beside, JSON.stringify({ host: made, layout }));
  // A link fails when another worker on this data folder was quicker; then its id counts.
  // Where a file system has no links, the last of two wins, and only workers on one folder could be two.
  await link(beside, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') await rename(beside, path);
  });
  await rm(beside, { force: true });
  return name.parse(JSON.parse(await readFile(path, 'utf8')).host);
}

async function requireOwnLayout(dataFolder: string, found: unknown): Promise<void> {
  const runs = await new RunFolders(dataFolder).list();
  if (runs.length === 0) return;
  const some = runs
    .slice(0, 5)
    .map(({ place }) => place)
    .join(', ');
  throw new OtherLayout(
    `the data folder ${dataFolder} has the layout ${JSON.stringify(found)} of another version, and this one reads ${layout}. ` +
      `It holds run folders (${some}${runs.length > 5 ? ', …' : ''}): start that version on it until its runs have landed and its ` +
      `kept folders are published or removed, or set EPOCHAL_DATA_DIR to another folder`,
  );
}

/** A handler of errors: what is not there is `value`; everything else, too many open files for one, is thrown. */
export const ifMissing =
  <T>(value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw error;
  };
