/**
 * What `npm run test:trainers` runs: the tests of every trainer on its own framework, each in the environment that the
 * trainer's own requirements make, and with the tools that `requirements.txt` beside the tests names. They drive real
 * trainer processes, as a worker does. `runs` are whole runs of all of them by a worker and a server.
 * Names choose some of them: `npm run test:trainers -- pytorch lightning`. After `--` come arguments for pytest.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closingLine, type TestCounts } from '../closing-line-reporter.ts';
import { pytest } from '../pytest.ts';
import { vitest } from '../vitest.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..', '..');
const [names, pytestArgs] = split(process.argv.slice(2));

function split(args: readonly string[]): [string[], string[]] {
  const at = args.indexOf('--');
  return at < 0 ? [[...args], []] : [args.slice(0, at), args.slice(at + 1)];
}

function testsOf(name: string, scratch: string): Promise<TestCounts> {
  if (name === 'runs') return vitest('runs', ['--config', 'vitest.trainers.config.ts'], scratch);
  const environment = join('trainers', name, 'requirements.txt');
  const folder = `test/trainers/${name}`;
  return pytest(existsSync(join(root, environment)) ? { folder, environment } : { folder }, scratch, pytestArgs);
}

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
const scratch = await mkdtemp(join(tmpdir(), 'epochal-test-'));
try {
  for (const name of names.length > 0 ? names : all) {
    const began = performance.now();
    let counts: TestCounts;
    try {
      counts = await testsOf(name, scratch);
    } catch (error) {
      process.stdout.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
      counts = { passed: 0, failed: 1, skipped: 0 };
    }
    process.stdout.write(`${name}: ${closingLine(counts)}, in ${Math.round((performance.now() - began) / 1000)} s\n`);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
process.stdout.write(`\n${closingLine(total)}\n`);
