/** A worker in a terminal that is closed continues to its own end. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPython } from '../../worker/python-tools.ts';
import { runProgram } from '../../worker/run-program.ts';

const terminal = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while b"ready" not in seen:
    seen += os.read(terminal, 1000)
os.close(terminal)
os.waitpid(pid, 0)
`;

const program = (file: string) => `
import { writeFileSync } from 'node:fs';
import { createLogger } from ${JSON.stringify(new URL('../../worker/log.ts', import.meta.url).href)};
const log = createLogger();
let lines = 0;
process.on('SIGHUP', () => setInterval(() => {
  log.info('draining');
  if (++lines < 50) return;
  writeFileSync(${JSON.stringify(file)}, 'drained');
  process.exit();
}, 20));
setInterval(() => undefined, 1_000);
log.info('ready');
`;

it('logs on, and does not end of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-log-'));
  try {
    const file = join(folder, 'drained');
    await writeFile(join(folder, 'program.mts'), program(file));
    const tsx = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href;
    const command = [process.execPath, '--import', tsx, join(folder, 'program.mts')];
    await runProgram((await findPython()).path, ['-c', terminal, ...command], { timeoutMs: 120_000 });
    expect(await readFile(file, 'utf8')).toBe('drained');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
