/** The S3 gateway of the tests, which stores in a folder: built with Go into the cache folder where it is not there yet. As a program: only that. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../../../contracts/folders.ts';

const version = 'v1.8.0';
const source = `github.com/versity/versitygw/cmd/versitygw@${version}`;

/** Its path, or why there is none. */
export async function gatewayBinary(): Promise<{ path: string } | { missing: string }> {
  const folder = join(cacheFolder({ env: process.env, platform: platform(), home: homedir() }), 'bin');
  const path = join(folder, `versitygw-${version}`);
  if (existsSync(path)) return { path };
  await mkdir(folder, { recursive: true });
  // Beside its place: another process that builds, or one that is killed, leaves no half of it there.
  const beside = await mkdtemp(join(folder, '.versitygw-'));
  try {
    const go = spawn('go', ['install', source], {
      env: { ...process.env, GOBIN: beside },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    go.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)));
    const code = await Promise.race([once(go, 'close'), once(go, 'error')]).then(([first]) => first as unknown);
    if (code instanceof Error) return { missing: `Go is not installed here (${code.message})` };
    if (code !== 0) return { missing: `go install ${source} failed:\n${said}` };
    await rename(join(beside, 'versitygw'), path);
    return { path };
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await gatewayBinary();
  process.stdout.write(`${'path' in found ? found.path : found.missing}\n`);
  process.exitCode = 'path' in found ? 0 : 1;
}
