/**
 * Part files: where a copy grows, hidden beside its final name, until it is whole and verified.
 *
 * The name says which file it becomes and which process writes it, so that a later publish of the same file can
 * remove what a crash left without touching a copy that still grows.
 */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { codeOf } from './file-errors.ts';
import { sha256Hex } from './sha256.ts';

const prefix = '.epochal-part-';
/** A part of another host, or of a process whose id was given anew, is given up after this long without a write. */
const staleMs = 60 * 60 * 1000;

/** Parts that this process writes now. */
const ours = new Set<string>();

const digest = (text: string) => sha256Hex(text).slice(0, 12);
const thisHost = digest(hostname());
const startOf = (file: string) => `${prefix}${digest(basename(file))}-`;

export const isPartFile = (name: string): boolean => name.startsWith(prefix);

/** Calls `work` with the path of a new part of `file`, and removes that part unless `work` called `renamePart`. */
export async function withPartFile<T>(file: string, work: (part: string) => Promise<T>): Promise<T> {
  const part = join(dirname(file), `${startOf(file)}${thisHost}-${process.pid}-${randomBytes(6).toString('hex')}`);
  ours.add(part);
  try {
    return await work(part);
  } finally {
    // A disk that fails here has failed `work` before, and that error says more.
    if (ours.has(part)) await unlink(part).catch(() => undefined);
    ours.delete(part);
  }
}

/** The part becomes the file that it is one of. */
export async function renamePart(part: string, target: string): Promise<void> {
  await rename(part, target);
  ours.delete(part);
}

/** Removes parts of `file` that nobody is writing any longer. A folder that cannot be read is the caller's to find out. */
export async function removeStaleParts(file: string): Promise<void> {
  const folder = dirname(file);
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(startOf(file))) continue;
    await removeIfStale(join(folder, name));
  }
}

/** Removes one part, unless somebody may still write it. */
export async function removeIfStale(part: string): Promise<void> {
  if (await isStale(part)) await rm(part, { force: true }).catch(() => undefined);
}

async function isStale(part: string): Promise<boolean> {
  if (ours.has(part)) return false;
  const [host, pid] = basename(part).split('-').slice(-3);
  if (host === thisHost && (Number(pid) === process.pid || !isAlive(Number(pid)))) return true;
  const { mtimeMs } = await stat(part).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
  return Date.now() - mtimeMs > staleMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}
