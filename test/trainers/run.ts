/**
 * What `npm run test:trainers` runs: the tests of every trainer on its own framework, each in an environment with the
 * packages that `requirements.txt` beside the tests names. They drive real trainer processes, as a worker does.
 * Names choose some of them: `npm run test:trainers -- pytorch lightning`. After `--` come arguments for pytest.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closingLine, type TestCounts } from '../closing-line-reporter.ts';
import { pytest } from '../pytest.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const [names, pytestArgs] = split(process.argv.slice(2));

function split(args: readonly string[]): [string[], string[]] {
  const at = args.indexOf('--');
  return at < 0 ? [[...args], []] : [args.slice(0, at), args.slice(at + 1)];
}

const all = (await readdir(here, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && existsSync(join(here, entry.name, 'requirements.txt')))
  .map((entry) => entry.name)
  .sort();
const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`there are no tests of ${unknown.join(', ')}; there are of ${all.join(', ')}\n`);
  process.exit(1);
}

const total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
const scratch = await mkdtemp(join(tmpdir(), 'epochal-test-'));
try {
  for (const name of names.length > 0 ? names : all) {
    const folder = `test/trainers/${name}`;
    let counts: TestCounts;
    try {
      counts = await pytest(folder, `${folder}/requirements.txt`, scratch, pytestArgs);
    } catch (error) {
      process.stdout.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
      counts = { passed: 0, failed: 1, skipped: 0 };
    }
    process.stdout.write(`${name}: ${closingLine(counts)}\n`);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
process.stdout.write(`\n${closingLine(total)}\n`);
