/** `data: shapes` on the command line: a relative path starts where the command was given, not where a worker happens to run. */
import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { shownValue } from '../../contracts/config-problems.ts';
import { ConfigError } from '../errors.ts';

/** What the readers unpack by themselves. */
const archive = /\.(tar|tar\.gz|tgz)$/i;

/**
 * The configuration with an absolute `data`, where that is a relative path to a folder or an archive. A word that is neither here stays: it may
 * be the name of a data set that the trainer brings along. Throws ConfigError for a path to nothing.
 */
export async function withAbsoluteData<T>(config: T, from: string = process.cwd()): Promise<T> {
  if (typeof config !== 'object' || config === null || !('data' in config)) return config;
  const { data } = config;
  // `~` is the home folder of the worker.
  if (typeof data !== 'string' || data === '' || isAbsolute(data) || data.startsWith('~')) return config;
  const place = resolve(from, data);
  const isDataSet = await stat(place).then(
    (found) => found.isDirectory() || archive.test(place),
    () => false,
  );
  if (isDataSet) return { ...config, data: place };
  if (!data.includes('/') && data !== '..') return config;
  const message = `must be an absolute path on the workers, or a folder or archive below ${from}, and there is no ${place}`;
  throw new ConfigError([{ field: 'data', value: shownValue(data), message }]);
}
