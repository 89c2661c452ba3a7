/** Runs vitest, and counts what it reports. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { countsFileVariable, type TestCounts } from './closing-line-reporter.ts';
import { runShown } from './run-shown.ts';

const program = fileURLToPath(new URL('../node_modules/.bin/vitest', import.meta.url));
const countsSchema = z.object({ passed: z.int(), failed: z.int(), skipped: z.int() });

/** With these arguments after `run`; `scratch` takes the counts, by title. An error of vitest itself is a failure. */
export async function vitest(title: string, args: readonly string[], scratch: string): Promise<TestCounts> {
  const file = join(scratch, `${title}.json`);
  const code = await runShown(title, program, ['run', ...args], { [countsFileVariable]: file });
  const counts: TestCounts = existsSync(file)
    ? countsSchema.parse(JSON.parse(await readFile(file, 'utf8')))
    : { passed: 0, failed: 0, skipped: 0 };
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}
