/** The data folder as the server needs it: it keeps there what signs people in. */
import { access, chmod, constants, mkdir, stat } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { dirname } from 'node:path';
import { folderProblem, sharedFolder } from '../contracts/folders.ts';
import { ServerSettingsError } from './settings.ts';

const othersMay = 0o077;
/** As /tmp has it. */
const sticky = 0o1000;

/** Made where it is missing, and closed to others where it is this user's. Throws ServerSettingsError. */
export async function openDataFolder(folder: string): Promise<void> {
  try {
    await make(folder);
    await access(folder, constants.W_OK | constants.X_OK);
    const { mode, uid } = await stat(folder);
    if ((mode & sticky) !== 0 || folder === '/') throw Object.assign(new Error(), { code: sharedFolder });
    if ((mode & othersMay) !== 0 && uid === process.getuid?.()) await chmod(folder, 0o700);
  } catch (error) {
    throw dataFolderProblem(folder, error);
  }
}

/** What a person is told of an error of the system there; what is said already stays as it is. */
export function dataFolderProblem(folder: string, error: unknown): ServerSettingsError {
  if (error instanceof ServerSettingsError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const { message } = folderProblem(folder, { env: process.env, platform: platform(), home: homedir() }, code);
  return new ServerSettingsError(message, { cause: error });
}

/** One folder after the other: Node's own `recursive` never ends where a folder is there and nothing can be made in it, as in /proc. */
async function make(folder: string): Promise<void> {
  const missing: string[] = [];
  for (let at = folder; !(await isThere(at)); at = dirname(at)) missing.push(at);
  for (const one of missing.reverse()) {
    await mkdir(one, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error(), { code: 'EEXIST' });
}

const isThere = (folder: string): Promise<boolean> =>
  stat(folder).then(
    () => true,
    () => false,
  );
