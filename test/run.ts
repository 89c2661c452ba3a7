/**
 * What `npm test` runs: lint, type check, vitest, and the tests of the Python side. Its last line adds everything up.
 * With arguments it passes them to vitest and runs nothing else: `npm test -- stop`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ensureEnvironment, readRequirementsFile } from '../worker/python-environments.ts';
import { closingLine, countsFileVariable, type TestCounts } from './closing-line-reporter.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const inModules = (program: string) => join(root, 'node_modules', '.bin', program);
const countsSchema = z.object({ passed: z.int(), failed: z.int(), skipped: z.int() });
const none: TestCounts = { passed: 0, failed: 0, skipped: 0 };

async function run(title: string, program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  process.stdout.write(`\n── ${title}\n`);
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 1;
}

/** A check has no tests to count: it adds a failure, or nothing. */
async function check(title: string, program: string, args: string[]): Promise<TestCounts> {
  return { ...none, failed: (await run(title, program, args)) === 0 ? 0 : 1 };
}

async function vitest(args: string[], scratch: string): Promise<TestCounts> {
  const file = join(scratch, 'vitest.json');
  const code = await run('vitest', inModules('vitest'), ['run', ...args], { [countsFileVariable]: file });
  const counts = existsSync(file) ? countsSchema.parse(JSON.parse(await readFile(file, 'utf8'))) : none;
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

async function pytest(scratch: string): Promise<TestCounts> {
  const requirements = join(root, 'test', 'trainers', 'requirements.txt');
  if (!existsSync(requirements)) return none;
  process.stdout.write('\n── preparing Python\n');
  const { python } = await ensureEnvironment({
    requirements: await readRequirementsFile(requirements),
    onProgress: (line) => process.stdout.write(`${line}\n`),
  });
  const report = join(scratch, 'pytest.xml');
  const code = await run(
    'pytest',
    python,
    ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', `--junitxml=${report}`, 'test/trainers'],
    {
      PYTHONPATH: join(root, 'trainers', 'epochal'),
    },
  );
  const suite = existsSync(report) ? (/<testsuite [^>]*>/.exec(await readFile(report, 'utf8'))?.[0] ?? '') : '';
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const [failed, skipped] = [count('failures') + count('errors'), count('skipped')];
  return { passed: count('tests') - failed - skipped, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

const filters = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), 'epochal-test-'));
const parts: TestCounts[] = [];
try {
  if (filters.length > 0) {
    parts.push(await vitest(filters, scratch));
  } else {
    parts.push(await check('lint', inModules('biome'), ['check', '.']));
    parts.push(await check('types', inModules('tsc'), []));
    parts.push(await vitest([], scratch));
    parts.push(await pytest(scratch));
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}
const total = parts.reduce((sum, part) => ({
  passed: sum.passed + part.passed,
  failed: sum.failed + part.failed,
  skipped: sum.skipped + part.skipped,
}));
// A run in which nothing ran proves nothing.
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
process.stdout.write(`\n${closingLine(total)}\n`);
