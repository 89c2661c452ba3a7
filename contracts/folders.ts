/** Where files live on a machine, by its environment. Pure; the caller passes what it knows of the machine. */

export interface Machine {
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  /** The user's home folder, absolute. */
  home: string;
}

/** Run folders, the host's identity, the default store. `SLY_APP_DATA_DIR` is what some apps set already. */
export function dataFolder({ env, platform, home }: Machine): string {
  const chosen = env.EPOCHAL_DATA_DIR || env.SLY_APP_DATA_DIR;
  if (chosen) return chosen;
  if (platform === 'darwin') return `${home}/Library/Application Support/epochal`;
  return `${env.XDG_DATA_HOME || `${home}/.local/share`}/epochal`;
}

/** What can be made again: Python environments, the Temporal binary, the workflow bundle. */
export function cacheFolder({ env, platform, home }: Machine): string {
  if (env.EPOCHAL_CACHE_DIR) return env.EPOCHAL_CACHE_DIR;
  if (platform === 'darwin') return `${home}/Library/Caches/epochal`;
  return `${env.XDG_CACHE_HOME || `${home}/.cache`}/epochal`;
}
