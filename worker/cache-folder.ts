/** Where things are kept that can be made again: Python environments, the `temporal` program, workflow bundles. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** `EPOCHAL_CACHE_DIR`, else `epochal` in the user's cache folder. Absolute; not made by this function. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.EPOCHAL_CACHE_DIR) return resolve(env.EPOCHAL_CACHE_DIR);
  if (env.XDG_CACHE_HOME) return resolve(env.XDG_CACHE_HOME, 'epochal');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'epochal');
  return join(homedir(), '.cache', 'epochal');
}
