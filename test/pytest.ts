/** Runs a folder of Python tests, and counts what pytest reports. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureEnvironment, readRequirementsFile } from '../worker/python-environments.ts';
import type { TestCounts } from './closing-line-reporter.ts';
import { runShown } from './run-shown.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export interface PythonTests {
  /** Where the tests are, relative to the repository; `requirements.txt` there, unless told otherwise, has their tools. */
  folder: string;
  tools?: string;
  /** A requirements file whose environment the tests run in, with the tools behind what is there; else in that of the tools. */
  environment?: string;
}

/** Runs them with `args` for pytest; `scratch` takes the report. An error of pytest itself is a failure. */
export async function pytest(tests: PythonTests, scratch: string, args: readonly string[] = []): Promise<TestCounts> {
  const { folder } = tests;
  process.stdout.write(`\n── preparing Python for ${folder}\n`);
  const tools = await environmentOf(tests.tools ?? join(folder, 'requirements.txt'));
  const python = tests.environment ? await environmentOf(tests.environment) : tools;
  // Behind all that the environment has: a tool must not bring another version of what a trainer says it needs.
  const packages = await promisify(execFile)(tools, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))']);
  const start = `import sys; sys.path.append(${JSON.stringify(packages.stdout.trim())}); import pytest; sys.exit(pytest.main())`;
  const report = join(scratch, `pytest-${folder.replaceAll('/', '-')}.xml`);
  const code = await runShown(
    `pytest ${folder}`,
    python,
    ['-c', start, '-q', '-p', 'no:cacheprovider', `--junitxml=${report}`, ...args, folder],
    { PYTHONPATH: join(root, 'trainers', 'epochal'), PYTHONDONTWRITEBYTECODE: '' },
  );
  const suite = existsSync(report) ? (/<testsuite [^>]*>/.exec(await readFile(report, 'utf8'))?.[0] ?? '') : '';
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const [failed, skipped] = [count('failures') + count('errors'), count('skipped')];
  return { passed: count('tests') - failed - skipped, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

async function environmentOf(requirements: string): Promise<string> {
  const { python } = await ensureEnvironment({
    requirements: await readRequirementsFile(join(root, requirements)),
    onProgress: (line) => process.stdout.write(`${line}\n`),
  });
  return python;
}
