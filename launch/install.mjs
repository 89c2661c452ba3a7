/**
 * Makes a fresh clone ready to run: plain Node, because nothing is installed yet. Does nothing when node_modules is
 * what package-lock.json says. Everything it prints goes to stderr.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { packagesToInstall } from './node-modules.mjs';
import { requireNode } from './node-version.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line) => process.stderr.write(`${line}\n`);

/** Ends the process with a sentence when this Node is too old. */
export function isInstalled() {
  requireNode();
  return packagesToInstall(root)?.length === 0;
}

/** Throws when npm fails, with its last words already printed. */
export async function install() {
  if (isInstalled()) return;
  say('installing node modules');
  const began = Date.now();
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  const npm = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk) => (output += chunk));
  // A sign of life: npm itself shows nothing when it is not on a terminal.
  const sign = setInterval(() => say(`installing node modules: ${Math.round((Date.now() - began) / 1000)} s`), 10_000);
  try {
    const [code] = await once(npm, 'close');
    if (code !== 0) {
      say(output.trim());
      throw new Error('npm ci failed: see above');
    }
  } finally {
    clearInterval(sign);
  }
  say(`node modules installed in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await install().catch((error) => {
    say(error.message);
    process.exit(1);
  });
}
