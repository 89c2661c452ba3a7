import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 120_000 });

const npmParent = new URL('../../launch/npm-parent.mjs', import.meta.url).href;
const program = `
import { hangUpWithoutNpm } from ${JSON.stringify(npmParent)};
process.on('SIGHUP', () => { console.log('SIGHUP'); process.exit(); });
setTimeout(() => { console.log('nothing'); process.exit(); }, 100_000);
console.log(hangUpWithoutNpm());
`;

let folder: string;
let child: ChildProcessByStdio<null, Readable, null> | null = null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-npm-parent-'));
  await writeFile(join(folder, 'program.mjs'), program);
  // The program is not the last of its shell, so that the shell stays beside it.
  const script = 'node program.mjs; true';
  const scripts = { npx: script, other: script };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'nothing', version: '0.0.0', scripts }));
});
afterEach(async () => {
  if (child?.pid !== undefined) {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  }
  child = null;
  await rm(folder, { recursive: true, force: true });
});

/** What the program says, line by line; its process group is ended after the test. */
function lines(command: string, args: string[], env: NodeJS.ProcessEnv = {}): AsyncIterator<string> {
  child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a program that npm runs through a shell hears of the end of npm by %s',
  async (signal) => {
    const said = lines('npm', ['run', '--silent', 'npx']);
    expect((await said.next()).value).toBe('true');
    child?.kill(signal);
    expect((await said.next()).value).toBe('SIGHUP');
  },
);

test('a program of another script, and one that was detached from npm, belong to nobody', async () => {
  expect((await lines('npm', ['run', '--silent', 'other']).next()).value).toBe('false');
  if (child?.pid) process.kill(-child.pid, 'SIGKILL');
  const detached = lines('sh', ['-c', `${process.execPath} program.mjs & wait`], { npm_lifecycle_event: 'start' });
  expect((await detached.next()).value).toBe('false');
});

test('the command says which Node it needs, and loads nothing, on one that is too old', async () => {
  const older = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.4" } })';
  const command = fileURLToPath(new URL('../../bin/epochal.mjs', import.meta.url));
  const node = spawn(process.execPath, ['--import', `data:text/javascript,${older}`, command, 'ls'], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let said = '';
  node.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  const [code] = await once(node, 'close');
  expect(code).toBe(1);
  expect(said).toMatch(/^Epochal needs Node 20\.19 or newer; this is 18\.20\.4\. Install/);
});
