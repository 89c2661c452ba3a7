/** `npm run release` in a small clone: what it writes, and what it refuses. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { version } from '../../client/version.ts';
import { runProgram } from '../../worker/run-program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = [
  'package.json',
  'package-lock.json',
  'CHANGELOG.md',
  'README.md',
  'trainers/epochal/epochal/__init__.py',
];
let clone: string;
const text = (file: string) => readFile(join(clone, file), 'utf8');

async function git(...args: string[]): Promise<void> {
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false'];
  const { code, tail } = await runProgram('git', [...author, ...args], { cwd: clone });
  expect(code, tail).toBe(0);
}

const release = (next: string) => runProgram(process.execPath, [join(clone, 'launch', 'release.mjs'), next]);

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), 'epochal-release-'));
  for (const file of [...files, 'launch/release.mjs']) {
    await cp(join(root, file), join(clone, file), { recursive: true, preserveTimestamps: true });
  }
  await git('init', '--quiet');
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'all');
});
afterEach(() => rm(clone, { recursive: true, force: true }));

test('writes the version wherever it shows, and the heading of the changelog', async () => {
  const { code, tail } = await release('7.8.9');
  expect(code, tail).toBe(0);
  expect(JSON.parse(await text('package.json'))).toMatchObject({ version: '7.8.9' });
  expect(JSON.parse(await text('package-lock.json'))).toMatchObject({
    version: '7.8.9',
    packages: { '': { version: '7.8.9' } },
  });
  expect(await text('trainers/epochal/epochal/__init__.py')).toContain('__version__ = "7.8.9"');
  expect(await text('README.md')).toMatch(/epochal-7\.8\.9\.tgz/);
  expect(await text('README.md')).not.toContain(version);
  expect(await text('CHANGELOG.md')).toMatch(/## \[Unreleased\]\n\n## \[7\.8\.9\] - \d{4}-\d\d-\d\d\n/);
});

test('refuses what is no newer version, a tree with changes, and a place that does not show the version', async () => {
  for (const [next, why] of [
    ['', /must be like 1\.2\.3/],
    [version, /must be newer/],
    ['0.0.9', /must be newer/],
  ] as const) {
    const { code, tail } = await release(next);
    expect([code, tail]).toEqual([1, expect.stringMatching(why)]);
  }
  const sdk = join(clone, 'trainers/epochal/epochal/__init__.py');
  await writeFile(sdk, (await text('trainers/epochal/epochal/__init__.py')).replace('__version__', '__release__'));
  expect((await release('7.8.9')).tail).toMatch(/the tree has changes/);
  await git('commit', '--quiet', '--all', '--message', 'no version');
  expect((await release('7.8.9')).tail).toMatch(/__init__\.py shows the version 0 times, not 1/);
  expect(await text('package.json')).toContain(`"version": "${version}"`);
});
