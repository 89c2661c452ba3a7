/** What a clone compiles, and when: in a small clone with the compiler of this one. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runProgram } from '../../worker/run-program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let clone: string;
const programs = ['launch/build.mjs', 'launch/node-modules.mjs'];
const source = (path: string, text: string) => writeFile(join(clone, path), text);
const inDist = (path: string) => readFile(join(clone, 'dist', path), 'utf8');
const program = `
  import { build } from './launch/build.mjs';
  await build().catch(({ message }) => { console.error(message); process.exitCode = 1; });
`;
const build = () => runProgram(process.execPath, ['--input-type=module', '-e', program], { cwd: clone });

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), 'epochal-build-'));
  for (const file of ['package.json', 'tsconfig.json', 'tsconfig.build.json', ...programs]) {
    await cp(join(root, file), join(clone, file));
  }
  await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
  for (const folder of ['contracts', 'workflows', 'activities', 'worker', 'observers', 'stores', 'client', 'server']) {
    await mkdir(join(clone, folder));
  }
  await source('contracts/names.ts', 'export const name: string = "first";\n');
  await source('client/program.ts', 'import { name } from "../contracts/names.ts";\nprocess.stdout.write(name);\n');
  await source('worker/beside.py', 'pass\n');
});
afterEach(() => rm(clone, { recursive: true, force: true }));

const run = async () => (await runProgram(process.execPath, [join(clone, 'dist', 'client', 'program.js')])).stdout;

test('compiles what has changed, copies what lies beside it, and removes what has gone', async () => {
  expect((await build()).code).toBe(0);
  expect(await run()).toBe('first');
  expect(await inDist('worker/beside.py')).toBe('pass\n');
  const built = (await stat(join(clone, 'dist', 'built.json'))).mtimeMs;
  expect((await build()).code).toBe(0);
  expect((await stat(join(clone, 'dist', 'built.json'))).mtimeMs).toBe(built);

  await source('contracts/names.ts', 'export const name: string = "second, and longer";\n');
  // Made with a package, of the sources as they were.
  await writeFile(join(clone, 'dist', 'workflow-bundle.js'), '');
  await rm(join(clone, 'worker', 'beside.py'));
  expect((await build()).code).toBe(0);
  expect(await run()).toBe('second, and longer');
  expect(await readdir(join(clone, 'dist', 'worker'))).toEqual([]);
  await expect(inDist('workflow-bundle.js')).rejects.toThrow(/ENOENT/);
  expect((await readdir(clone)).filter((name) => name.startsWith('.dist'))).toEqual([]);
});

test('a source that cannot be read is named, and what was built stays', async () => {
  expect((await build()).code).toBe(0);
  await source('contracts/names.ts', 'export const name: string = ;\n');
  const { code, tail } = await build();
  expect([code, tail]).toEqual([1, expect.stringMatching(/contracts\/names\.ts.*error TS1109: Expression expected/)]);
  expect(await run()).toBe('first');
});
