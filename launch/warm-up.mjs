/**
 * While npm installs the node modules of a fresh clone, has uv download what comes next into its own cache: the
 * Temporal server and the demo's Python packages. Nothing depends on it; what it misses is fetched later.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts in the background; the function returned ends it, and waits for its end. */
export function warmUp() {
  if (process.env.EPOCHAL_NO_UV) return async () => {};
  const folder = mkdtempSync(join(tmpdir(), 'epochal-warm-up-'));
  const lists = ['launch/temporal-requirements.txt', 'trainers/digits/requirements.lock'].flatMap((file) => [
    '-r',
    file,
  ]);
  const uv = spawn('uv', ['pip', 'install', '--quiet', '--target', folder, ...lists], { cwd: root, stdio: 'ignore' });
  const ended = Promise.race([once(uv, 'exit'), once(uv, 'error')]).catch(() => undefined);
  return async () => {
    uv.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}
