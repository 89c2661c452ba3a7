/** What a session trains with, by digests: the trainer's files, its locked environment, the SDK. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Materials, materialsSchema } from '../contracts/receipt-facts.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { digestFile } from '../stores/file-digest.ts';
import { filesBelow, type RunFolder, readIfThere, replaceFile } from './run-folders.ts';
import { parseJson } from './run-report.ts';
import { pythonSdkFolder } from './settings.ts';
import type { TrainerProgram } from './trainer-catalog.ts';
import { findCode, keepCode } from './trainer-code.ts';

/** A trainer's folder may hold more than its program: data, weights. Beyond this it is not read, and its digest is unknown. */
const mostFiles = 2_000;
const mostBytes = 256 << 20;

const environmentLock = 'requirements.lock';

export interface Surroundings {
  /** Null where it is not installed, and where it is that of an image, of whose packages nobody here can tell. */
  python: string | null;
  /** Id of the image that its container is made of; null: it runs in none. */
  image: string | null;
  /** Of the GPU. */
  driver: string | null;
  config: Pick<RunConfig, 'code'>;
}

/** Keeps in the run folder what its session trains with, and what one before it there began with. */
export async function keepMaterials(
  folder: RunFolder,
  program: TrainerProgram,
  from: Materials['from'],
  surroundings: Surroundings,
): Promise<Materials> {
  const { python, config } = surroundings;
  const [digests, code] = await Promise.all([
    materialsOf(program, surroundings),
    keepCode(folder, program.file, python, config),
  ]);
  const found = { ...digests, ...code, config: null, data: null, from };
  // Only the first session fetched that; of the rest an older one tells nothing.
  const materials = { ...found, from: from ?? (await readMaterials(folder))?.from ?? null };
  await replaceFile(folder.materials, JSON.stringify(materials));
  return materials;
}

/** What a session that began now would train with, and its packages. */
export async function findMaterials(
  program: TrainerProgram,
  surroundings: Surroundings,
): Promise<{ materials: Materials; packages: string | null }> {
  const { python, config } = surroundings;
  const [digests, code] = await Promise.all([
    materialsOf(program, surroundings),
    findCode(program.file, python, config),
  ]);
  const materials = { ...digests, ...code.told, config: null, data: null, from: null };
  return { materials, packages: code.packages };
}

/** They go into the receipt, which has an end. In bytes. */
const largest = 1 << 16;

/** Null where there are none, or none that can be read. */
export async function readMaterials(folder: RunFolder): Promise<Materials | null> {
  const text = await readIfThere(folder.materials, largest);
  return text === null ? null : parseJson(materialsSchema, text);
}

async function materialsOf(
  { file }: TrainerProgram,
  { image, driver }: Surroundings,
): Promise<Pick<Materials, 'trainer' | 'environment' | 'sdk' | 'image' | 'driver'>> {
  const isFolder = basename(file) === 'trainer.py';
  const folder = dirname(file);
  // What an image has was decided when that was made.
  const lock = isFolder && image === null ? digestFile(join(folder, environmentLock)) : Promise.reject();
  const [trainer, environment, sdk] = await Promise.all([
    isFolder ? digestOf(folder, isSource) : digestOf(folder, (path) => path === basename(file)),
    lock.then(
      ({ sha256 }) => sha256,
      () => null,
    ),
    digestOf(join(pythonSdkFolder, 'epochal'), (path) => isSource(path) && path.endsWith('.py')),
  ]);
  return { trainer, environment, sdk, image, driver };
}

/** Not what Python and editors leave beside it. */
const isSource = (path: string) => !path.split('/').some((part) => part.startsWith('.') || part === '__pycache__');

/** Null where it cannot be read, or is too much. */
async function digestOf(folder: string, isPart: (path: string) => boolean): Promise<string | null> {
  const files: string[] = [];
  const whole = createHash('sha256');
  let bytes = 0;
  try {
    for await (const path of filesBelow(folder)) {
      if (!isPart(path)) continue;
      bytes += (await stat(join(folder, path))).size;
      files.push(path);
      if (files.length > mostFiles || bytes > mostBytes) return null;
    }
    for (const path of files) whole.update(`${(await digestFile(join(folder, path))).sha256}  ${path}\n`);
  } catch {
    return null;
  }
  return files.length === 0 ? null : whole.digest('hex');
}
