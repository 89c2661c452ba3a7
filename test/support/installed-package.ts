/** The package as users get it: packed, and installed into an empty folder. */
import { lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { runProgram } from '../../worker/run-program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const quietly = ['--no-audit', '--no-fund', '--loglevel=error'];

/** What this machine says of Temporal is left out, and what npm tells the scripts that it runs. */
const ownEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(TEMPORAL|npm)_/.test(name)));

export interface CallOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
}

/** Answers the program's stdout; throws with what it said where it fails. */
export async function call(program: string, args: readonly string[], { cwd, env = {} }: CallOptions): Promise<string> {
  const { code, stdout, tail } = await runProgram(program, args, { cwd, env: { ...ownEnvironment(), ...env } });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${tail}`);
  return stdout;
}

/** Answers the packed file, in the folder. */
export async function packInto(folder: string): Promise<string> {
  const said = await call('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root });
  const [{ filename }] = z.tuple([z.object({ filename: z.string() })]).parse(JSON.parse(said));
  return join(folder, filename);
}

/** Installs the packed file as the one dependency of a new project in the folder. */
export async function installInto(folder: string, packed: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  // From npm's cache where it is there, which is so for what a clone installed.
  await call('npm', ['install', '--omit=dev', '--prefer-offline', ...quietly, packed], { cwd: folder });
}

/** As on disk. */
export async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.map(async (entry) => (await lstat(join(entry.parentPath, entry.name))).blocks * 512);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
