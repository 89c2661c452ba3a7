/** A clone whose node modules are not those of its lock file: seen after a pull that adds packages, before a program looks for them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
// @ts-expect-error: plain JavaScript, which is asked before anything is installed
import { packagesToInstall, requireModules } from '../../launch/node-modules.mjs';

type Packages = Record<string, { version?: string; optional?: boolean; peer?: boolean }>;

let clone: string;
beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), 'epochal-modules-'));
  await mkdir(join(clone, 'node_modules'));
});
afterEach(() => rm(clone, { recursive: true, force: true }));

const a = { 'node_modules/a': { version: '1.0.0' } };
const b = { 'node_modules/b': { version: '2.0.0' } };
const lock = (packages: Packages) =>
  writeFile(join(clone, 'package-lock.json'), JSON.stringify({ packages: { '': { version: '0.1.0' }, ...packages } }));
const record = (text: string) => writeFile(join(clone, 'node_modules', '.package-lock.json'), text);
const installed = (packages: Packages) => record(JSON.stringify({ packages }));

it.each<[string, Packages, Packages, string[]]>([
  ['all are there', { ...a, ...b }, { ...a, ...b }, []],
  ['one that was removed is still there', a, { ...a, ...b }, []],
  ['one was added', { ...a, ...b }, a, ['node_modules/b']],
  ['one has another version', { 'node_modules/a': { version: '1.0.1' } }, a, ['node_modules/a']],
  ['one of another platform is not there', { ...a, 'node_modules/b': { version: '2.0.0', optional: true } }, a, []],
  [
    'an optional one has another version',
    { 'node_modules/b': { version: '2.0.1', optional: true } },
    b,
    ['node_modules/b'],
  ],
])('%s', async (_, locked, there, expected) => {
  await lock(locked);
  await installed(there);
  expect(packagesToInstall(clone)).toEqual(expected);
});

it('an install that was broken off has no record, or part of one', async () => {
  await lock(a);
  expect(packagesToInstall(clone)).toBeNull();
  await record('{"packages":{"node_mod');
  expect(packagesToInstall(clone)).toBeNull();
});

it('a program of the clone says what to do', async () => {
  await lock({ ...a, ...b });
  await installed(a);
  expect(() => requireModules(clone, 'node_modules/compiler')).toThrow('are not installed: run `npm ci` in');
  await writeFile(join(clone, 'node_modules', 'compiler'), '');
  expect(() => requireModules(clone, 'node_modules/compiler')).toThrow(
    "Epochal's node modules are not those of package-lock.json (b): run `npm ci` in",
  );
  await installed({ ...a, ...b });
  requireModules(clone, 'node_modules/compiler');
  // By another installer than npm.
  await rm(join(clone, 'node_modules', '.package-lock.json'));
  requireModules(clone, 'node_modules/compiler');
});
