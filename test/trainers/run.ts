/**
 * What `npm run test:trainers` runs: the tests of every trainer on its own framework, each in the environment that the
 * trainer's own requirements make, and with the tools that `requirements.txt` beside the tests names. They drive real
 * trainer processes, as a worker does. `runs` are whole runs of all of them by a worker and a server.
 * Names choose some of them: `npm run test:trainers -- pytorch lightning`. After `--` come arguments for pytest. Several
 * run in processes of their own, as many at a time as there are cores, up to two; the output of each is shown at its end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closingLine, type TestCounts } from '../closing-line-reporter.ts';
import { pytest } from '../pytest.ts';
import { vitest } from '../vitest.ts';

const program = fileURLToPath(import.meta.url);
const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..', '..');

function split(args: readonly string[]): [string[], string[]] {
  const at = args.indexOf('--');
  return at < 0 ? [[...args], []] : [args.slice(0, at), args.slice(at + 1)];
}

async function testsOf(name: string, pytestArgs: readonly string[]): Promise<TestCounts> {
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-test-'));
  try {
    if (name === 'runs') return await vitest('runs', ['--config', 'vitest.trainers.config.ts'], scratch);
    const environment = join('trainers', name, 'requirements.txt');
    const folder = `test/trainers/${name}`;
    return await pytest(
      existsSync(join(root, environment)) ? { folder, environment } : { folder },
      scratch,
      pytestArgs,
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The same in a process of its own, whose output is shown at its end. */
async function testsBeside(name: string, pytestArgs: readonly string[]): Promise<TestCounts> {
  const began = performance.now();
  const args = [...process.execArgv, program, name, '--', ...pytestArgs];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text));
  child.stderr.on('data', (text: Buffer) => (output += text));
  const [code] = await once(child, 'close');
  process.stdout.write(`${output}${name} took ${Math.round((performance.now() - began) / 1000)} s\n`);
  const counted = /(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/.exec(output);
  const [passed, failed, skipped] = (counted ?? [0, 0, 1]).slice(1).map((number) => Number(number ?? 0));
  // What ended badly without saying what failed is a failure all the same.
  return { passed: passed ?? 0, failed: failed || (code === 0 ? 0 : 1), skipped: skipped ?? 0 };
}

const [names, pytestArgs] = split(process.argv.slice(2));
const folders = (await readdir(here, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && existsSync(join(here, entry.name, 'requirements.txt')))
  .map((entry) => entry.name)
  .sort();
const all = [...folders, 'runs'];
const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`there are no tests of ${unknown.join(', ')}; there are of ${all.join(', ')}\n`);
  process.exit(1);
}

const total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
const waiting = names.length > 0 ? names : all;
const run = waiting.length > 1 ? testsBeside : testsOf;
const lane = async () => {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    let counts: TestCounts;
    try {
      counts = await run(name, pytestArgs);
    } catch (error) {
      process.stdout.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
      counts = { passed: 0, failed: 1, skipped: 0 };
    }
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
};
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 2) }, lane));
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
process.stdout.write(`\n${closingLine(total)}\n`);
