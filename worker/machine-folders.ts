/** The folders of contracts/folders.ts on this machine, absolute. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { dirname, resolve } from 'node:path';
import * as folders from '../contracts/folders.ts';

export const thisMachine = (): folders.Machine => ({ env: process.env, platform: platform(), home: homedir() });

export const cacheFolder = (): string => resolve(folders.cacheFolder(thisMachine()));
export const dataFolder = (): string => resolve(folders.dataFolder(thisMachine()));

/** Makes the folder where it is missing. Throws FolderProblem when it cannot be made or written. */
export async function makeWritable(folder: string): Promise<void> {
  try {
    if (!(await make(folder))) throw folders.folderProblem(folder, thisMachine(), 'EEXIST');
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof folders.FolderProblem) throw error;
    throw folders.folderProblem(folder, thisMachine(), codeOf(error));
  }
}

/**
 * False when something else is there. One folder after the other: Node's own `recursive` never ends where a folder is
 * there and nothing can be made in it, as in /proc.
 */
async function make(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return (await stat(folder)).isDirectory();
    const parent = dirname(folder);
    if (codeOf(error) !== 'ENOENT' || parent === folder || (await isThere(parent))) throw error;
  }
  return (await make(dirname(folder))) && make(folder);
}

const isThere = (folder: string) =>
  stat(folder).then(
    () => true,
    () => false,
  );

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;
