/**
 * What `npm test` runs: lint, type checks, vitest, the browser tests (`npm run test:web`), and the tests of the Python
 * SDK. Its last line adds everything up. The trainers on their own frameworks have `npm run test:trainers`.
 * With arguments it passes them to vitest and runs nothing else: `npm test -- stop`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closingLine, type TestCounts } from './closing-line-reporter.ts';
import { pytest } from './pytest.ts';
import { runShown } from './run-shown.ts';
import { vitest } from './vitest.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const inModules = (program: string) => join(root, 'node_modules', '.bin', program);
const none: TestCounts = { passed: 0, failed: 0, skipped: 0 };

/** A check has no tests to count: it adds a failure, or nothing. */
async function check(title: string, program: string, args: string[]): Promise<TestCounts> {
  return { ...none, failed: (await runShown(title, program, args)) === 0 ? 0 : 1 };
}

const filters = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), 'epochal-test-'));
const parts: TestCounts[] = [];
try {
  if (filters.length > 0) {
    parts.push(await vitest('vitest', filters, scratch));
  } else {
    parts.push(await check('lint', inModules('biome'), ['check', '.']));
    parts.push(await check('types', inModules('tsc'), []));
    parts.push(await check('types of the web', inModules('tsc'), ['-p', 'web']));
    parts.push(await vitest('vitest', [], scratch));
    parts.push(await vitest('browser', ['--config', 'vitest.web.config.ts'], scratch));
    const sdk = { folder: 'test/trainers/sdk', tools: 'test/trainers/requirements.txt' };
    // Each test has trainers and folders of its own, and waits for much of its time.
    parts.push(await pytest(sdk, scratch, ['-n', '3']));
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
