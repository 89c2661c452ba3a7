/**
 * Data sets that this host offers: the folders in its data set folders, told what they are by the Python readers that
 * the trainers use, too. What they find is kept as an index in the cache folder until the data set changes.
 */
import { constants, createReadStream } from 'node:fs';
import { mkdir, open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import {
  type DataSetDetails,
  type DataSetItem,
  type DataSetItems,
  type DataSetSummary,
  dataSetDetailsSchema,
  dataSetItemSchema,
  dataSetKindSchema,
} from '../contracts/data-set.ts';
import type { StoredPart } from '../stores/artifact-store.ts';
import { sha256Hex } from '../stores/sha256.ts';
import { inGroups } from './in-groups.ts';
import { ensureEnvironment } from './python-environments.ts';
import { runProgram } from './run-program.ts';
import { trainerEnvironment } from './trainer-catalog.ts';

/** What the readers need. */
const requirements = ['numpy==2.4.6', 'pillow==13.0.0', 'PyYAML==6.0.3'];
const readers = 'epochal.datasets.index_file';
const mostDataSets = 500;
const longestReadMs = 30 * 60_000;
/** What is inside of a data set may change without a trace outside: after this long it is read again. */
const indexAgeMs = 10 * 60_000;

/** A data set that is not there, or cannot be read, as a sentence. */
export class DataSetProblem extends Error {
  override readonly name = 'DataSetProblem';
}

interface CallOptions {
  signal: AbortSignal;
  onProgress: (doing: string) => void;
}

const kindsSchema = z.record(z.string(), dataSetKindSchema);
const foundSchema = dataSetDetailsSchema.omit({ host: true, id: true, name: true, data: true });
const indexedItemSchema = dataSetItemSchema.extend({ classes: z.array(z.string()) });

export class DataSets {
  #listed: { at: number; sets: DataSetSummary[] } | null = null;

  constructor(
    readonly host: string,
    readonly folders: readonly string[],
    readonly cacheFolder: string,
  ) {}

  async list(options: CallOptions): Promise<DataSetSummary[]> {
    if (this.#listed && Date.now() - this.#listed.at < 10_000) return this.#listed.sets;
    const paths = (await Promise.all(this.folders.map(foldersIn))).flat().slice(0, mostDataSets);
    if (paths.length === 0) return [];
    const { stdout } = await this.#python(['--kinds', ...paths], options);
    const kinds = kindsSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}'));
    const sets = Object.entries(kinds).map(([data, kind]) => ({
      host: this.host,
      id: idOf(data),
      name: basename(data),
      data,
      kind,
    }));
    this.#listed = { at: Date.now(), sets };
    return sets;
  }

  /** Throws DataSetProblem. */
  async details(id: string, options: CallOptions): Promise<DataSetDetails> {
    const { summary, index } = await this.#indexed(id, options);
    for await (const line of linesOf(index)) return { ...summary, ...foundSchema.parse(JSON.parse(line)) };
    throw new DataSetProblem(`the index of data set ${summary.name} is empty`);
  }

  /** Throws DataSetProblem. */
  async items(
    id: string,
    {
      split,
      className,
      offset,
      limit,
    }: { split: string | null; className: string | null; offset: number; limit: number },
    options: CallOptions,
  ): Promise<DataSetItems> {
    const { index } = await this.#indexed(id, options);
    const items: DataSetItem[] = [];
    let total = -1;
    for await (const line of linesOf(index)) {
      // The first line is about the data set.
      if (total < 0) {
        total = 0;
        continue;
      }
      const { classes, ...item } = indexedItemSchema.parse(JSON.parse(line));
      if ((split !== null && item.split !== split) || (className !== null && !classes.includes(className))) continue;
      if (total >= offset && items.length < limit) items.push(item);
      total++;
    }
    return { items, total: Math.max(0, total) };
  }

  /** Bytes of an image; null where there is none. Nothing outside the data set folders is read. */
  async readPart(
    id: string,
    item: string,
    offset: number,
    length: number,
    options: CallOptions,
  ): Promise<StoredPart | null> {
    const { data } = await this.#find(id, options);
    const real = await realpath(join(data, item)).catch(() => null);
    const roots = await Promise.all(this.folders.map((folder) => realpath(folder).catch(() => null)));
    if (real === null || !roots.some((root) => root !== null && real.startsWith(root + sep))) return null;
    const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const found = await file.stat();
      if (!found.isFile()) return null;
      const buffer = Buffer.alloc(Math.max(0, Math.min(length, found.size - offset)));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      return { bytes: buffer.subarray(0, bytesRead), size: found.size };
    } finally {
      await file.close();
    }
  }

  async #find(id: string, options: CallOptions): Promise<DataSetSummary> {
    const found = (await this.list(options)).find((set) => set.id === id);
    if (found) return found;
    throw new DataSetProblem(`dataSet is ${JSON.stringify(id)}: ${this.host} has no data set with this id`);
  }

  async #indexed(id: string, options: CallOptions): Promise<{ summary: DataSetSummary; index: string }> {
    const summary = await this.#find(id, options);
    const folder = join(this.cacheFolder, 'data-sets');
    await mkdir(folder, { recursive: true });
    const index = join(folder, `${id}.jsonl`);
    const [written, changed] = await Promise.all([modifiedAt(index), newest(summary.data)]);
    if (written < changed || Date.now() - written > indexAgeMs) {
      options.onProgress(`read data set ${summary.name}`);
      const { code, stdout, tail } = await this.#python([summary.data, index], options);
      if (code === 3)
        throw new DataSetProblem(problemSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).problem);
      if (code !== 0) throw new DataSetProblem(`data set ${summary.name} could not be read: ${tail.slice(-2000)}`);
    }
    return { summary, index };
  }

  async #python(args: string[], { signal, onProgress }: CallOptions) {
    const { python } = await ensureEnvironment({ requirements, onProgress, signal });
    return runProgram(python, ['-m', readers, ...args], {
      env: trainerEnvironment(python),
      timeoutMs: longestReadMs,
      signal,
    });
  }
}

const problemSchema = z.object({ problem: z.string() });

const idOf = (path: string) => sha256Hex(path).slice(0, 16);

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter(
    (entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'),
  );
  return names.map(({ name }) => join(folder, name)).sort();
}

const linesOf = (path: string) =>
  createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });

const modifiedAt = (path: string) =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

/** When the folder or something right in it changed last. */
async function newest(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  return Math.max(
    await modifiedAt(folder),
    ...(await inGroups(names.slice(0, 1000), (name) => modifiedAt(join(folder, name)))),
  );
}
