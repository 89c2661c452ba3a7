/** Runs a folder of Python tests in an environment made for them, and counts what pytest reports. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureEnvironment, readRequirementsFile } from '../worker/python-environments.ts';
import type { TestCounts } from './closing-line-reporter.ts';
import { runShown } from './run-shown.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** `folder` and `requirements` (a file) are relative to the repository. An error of pytest itself is a failure. */
export async function pytest(
  folder: string,
  requirements: string,
  scratch: string,
  args: readonly string[] = [],
): Promise<TestCounts> {
  process.stdout.write(`\n── preparing Python for ${folder}\n`);
  const { python } = await ensureEnvironment({
    requirements: await readRequirementsFile(join(root, requirements)),
    onProgress: (line) => process.stdout.write(`${line}\n`),
  });
  const report = join(scratch, `pytest-${folder.replaceAll('/', '-')}.xml`);
  const code = await runShown(
    `pytest ${folder}`,
    python,
    ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', `--junitxml=${report}`, ...args, folder],
    { PYTHONPATH: join(root, 'trainers', 'epochal'), PYTHONDONTWRITEBYTECODE: '' },
  );
  const suite = existsSync(report) ? (/<testsuite [^>]*>/.exec(await readFile(report, 'utf8'))?.[0] ?? '') : '';
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const [failed, skipped] = [count('failures') + count('errors'), count('skipped')];
  return { passed: count('tests') - failed - skipped, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}
