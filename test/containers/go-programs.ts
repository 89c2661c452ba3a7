/** Programs of Go modules, built from their sources. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../contracts/folders.ts';
import { must } from './docker.ts';

/** Built once for this machine: the server takes some minutes. */
export async function program(of: string, version: string): Promise<string> {
  const folder = join(cacheFolder({ env: process.env, platform: platform(), home: homedir() }), 'bin');
  const name = of.split('/').slice(-4).join('-');
  const path = join(folder, `${name}-${version}`);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const beside = await mkdtemp(join(folder, '.go-'));
  try {
    const env = { ...process.env, GOBIN: beside, CGO_ENABLED: '0', GOFLAGS: '-trimpath -buildvcs=false' };
    await must('go', ['install', `${of}@v${version}`], { env });
    await rename(join(beside, of.split('/').at(-1) ?? ''), path);
    return path;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** The folder with a module's source. */
export async function sourceOf(module: string): Promise<string> {
  const { stdout } = await must('go', ['mod', 'download', '-json', module], { cwd: '/' });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
