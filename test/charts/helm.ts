/** helm itself, built once for this machine where it is not there (minutes). */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../contracts/folders.ts';
import { runProgram } from '../../worker/run-program.ts';

const version = '3.22.0';
const folder = join(cacheFolder({ env: process.env, platform: platform(), home: homedir() }), 'bin', `helm-${version}`);
export const helmProgram = join(folder, 'helm');

export async function makeHelm(): Promise<void> {
  if (existsSync(helmProgram)) return;
  await mkdir(folder, { recursive: true });
  const args = ['install', `helm.sh/helm/v3/cmd/helm@v${version}`];
  const { code, tail } = await runProgram('go', args, { env: { ...process.env, GOBIN: folder } });
  if (code !== 0) throw new Error(`helm could not be built:\n${tail}`);
}
