/** Where files live on a machine, by its environment. Pure; the caller passes what it knows of the machine. */

export interface Machine {
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  /** The user's home folder, absolute. */
  home: string;
}

/** A folder that cannot be what it is to be; the message names the variable, its value and what is allowed. */
export class FolderProblem extends Error {
  override readonly name = 'FolderProblem';
}

interface Chosen {
  folder: string;
  /** That says so; null where none does. */
  variable: string | null;
}

const allowed = 'must be the absolute path of a folder that this user can write, or that can be made';

/** Run folders, the host's identity, the default store. `SLY_APP_DATA_DIR` is what some apps set already. Throws FolderProblem. */
export const dataFolder = (machine: Machine): string => chosenDataFolder(machine).folder;

/** What can be made again: Python environments, the Temporal binary, the workflow bundle. Throws FolderProblem. */
export const cacheFolder = (machine: Machine): string => chosenCacheFolder(machine).folder;

/** Why a folder cannot be used, by the code of the system's error. */
export function folderProblem(folder: string, machine: Machine, code: string | undefined): FolderProblem {
  const chosen = [chosenDataFolder(machine), chosenCacheFolder(machine)].find((one) => one.folder === folder);
  const why = (code && reasons[code]) ?? `it cannot be used (${code ?? 'unknown error'})`;
  if (chosen?.variable) return new FolderProblem(`${chosen.variable} is ${JSON.stringify(folder)}: ${allowed}; ${why}`);
  return new FolderProblem(
    `the folder ${folder} ${allowed.replace('the absolute path of ', '')}; ${why}. ${elsewhere}`,
  );
}

/** In place of a system's code: a folder of all users, such as /tmp, or the root. It cannot be closed to others. */
export const sharedFolder = 'SHARED';

const elsewhere = 'EPOCHAL_DATA_DIR and EPOCHAL_CACHE_DIR name other places';
const reasons: Readonly<Record<string, string>> = {
  [sharedFolder]: 'all users of this machine share it',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
  ENOTDIR: 'it, or a part of it, is a file',
  EEXIST: 'it is a file',
  ENOENT: 'no folder can be made there',
};

function chosenDataFolder({ env, platform, home }: Machine): Chosen {
  for (const variable of ['EPOCHAL_DATA_DIR', 'SLY_APP_DATA_DIR']) {
    if (env[variable]) return { folder: absolute(variable, env[variable]), variable };
  }
  if (platform === 'darwin') return { folder: `${home}/Library/Application Support/epochal`, variable: null };
  return { folder: `${xdg(env.XDG_DATA_HOME) ?? `${home}/.local/share`}/epochal`, variable: null };
}

function chosenCacheFolder({ env, platform, home }: Machine): Chosen {
  const variable = 'EPOCHAL_CACHE_DIR';
  if (env[variable]) return { folder: absolute(variable, env[variable]), variable };
  if (platform === 'darwin') return { folder: `${home}/Library/Caches/epochal`, variable: null };
  return { folder: `${xdg(env.XDG_CACHE_HOME) ?? `${home}/.cache`}/epochal`, variable: null };
}

/** Relative to wherever a program is started, two of them would not find each other. Without a slash at its end. */
function absolute(variable: string, value: string): string {
  if (!isAbsolute(value)) throw new FolderProblem(`${variable} is ${JSON.stringify(value)}: ${allowed}`);
  return value.length > 1 ? value.replace(/\/+$/, '') || '/' : value;
}

/** Its specification has relative ones ignored. */
const xdg = (value: string | undefined): string | undefined => (value && isAbsolute(value) ? value : undefined);

const isAbsolute = (path: string): boolean => /^(\/|[A-Za-z]:[\\/])/.test(path);
