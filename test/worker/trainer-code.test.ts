/** Which code a session trains with: the commit of its program, its file, its packages, and the driver; null where nobody can tell. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { codeText } from '../../contracts/code-text.ts';
import { packagesFile } from '../../contracts/host-materials.ts';
import { materialsSchema } from '../../contracts/receipt-facts.ts';
import { parseDriver } from '../../worker/gpus.ts';
import { publishedFiles } from '../../worker/published-files.ts';
import { findPython } from '../../worker/python-tools.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { codeOf, keepCode } from '../../worker/trainer-code.ts';
import { readMaterials } from '../../worker/trainer-materials.ts';

let data: string;
let file: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'code-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  await mkdir(join(data, 'repository', 'trainers'), { recursive: true });
  file = join(data, 'repository', 'trainers', 'mine.py');
  await writeFile(file, 'print()');
});

/** Without the configuration of whoever runs the tests. */
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', join(data, 'repository'), '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    env: { PATH: process.env.PATH, HOME: data },
  }).trim();

it('is told by its commit, branch, and whether anything that git tracks differs from that', async () => {
  // No repository, none with a commit, and one that does not track it: its commit would say nothing.
  expect(await codeOf(file)).toBeNull();
  git('init', '-q', '-b', 'main');
  await writeFile(join(data, 'repository', 'other.txt'), 'one');
  git('add', 'other.txt');
  git('commit', '-q', '-m', 'first');
  expect(await codeOf(file)).toBeNull();
  git('add', '.');
  git('commit', '-q', '-m', 'second');
  const commit = git('rev-parse', 'HEAD');
  await writeFile(join(data, 'repository', 'untracked'), '');
  expect(await codeOf(file)).toEqual({ commit, branch: 'main', isDirty: false });
  await writeFile(join(data, 'repository', 'other.txt'), 'two');
  expect(await codeOf(file)).toEqual({ commit, branch: 'main', isDirty: true });
  const changed = { code: await codeOf(file) };
  expect(codeText(changed)).toBe(`commit ${commit.slice(0, 12)} on main, with uncommitted changes`);
  git('checkout', '-q', '--', '.');
  git('checkout', '-q', '--detach');
  expect(await codeOf(file)).toEqual({ commit, branch: null, isDirty: false });
  // What the repository says is to be run is not.
  const ran = join(data, 'ran');
  git('config', 'core.fsmonitor', `touch ${ran}; false`);
  git('config', 'diff.external', `touch ${ran}; true`);
  await writeFile(join(data, 'repository', 'other.txt'), 'three');
  expect((await codeOf(file))?.isDirty).toBe(true);
  // A file that goes through a program of the repository's own cannot be compared then.
  git('config', 'filter.a=b.clean', `touch ${ran}; cat`);
  await writeFile(join(data, 'repository', '.gitattributes'), '* filter=a=b');
  expect(await codeOf(file)).toMatchObject({ commit, isDirty: null });
  git('config', '--unset', 'filter.a=b.clean');
  expect((await codeOf(file))?.isDirty).toBe(true);
  await expect(readFile(ran)).rejects.toThrow('ENOENT');
});

it('its packages are published as they are installed, and told by their digest; without Python they are unknown', async () => {
  const folder = await new RunFolders(data).make('r');
  const { path } = await findPython();
  const python = join(data, 'python');
  execFileSync(path, ['-m', 'venv', '--without-pip', python]);
  const site = execFileSync(join(python, 'bin', 'python'), ['-c', 'import site; print(site.getsitepackages()[0])'], {
    encoding: 'utf8',
  }).trim();
  for (const [name, version] of [
    ['Some_Package', '1.2'],
    ['another', '3'],
  ]) {
    await mkdir(join(site, `${name}-${version}.dist-info`));
    await writeFile(join(site, `${name}-${version}.dist-info`, 'METADATA'), `Name: ${name}\nVersion: ${version}\n`);
  }
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const packages = 'another==3\nsome-package==1.2\n';
  expect(await keepCode(folder, file, join(python, 'bin', 'python'))).toEqual({
    ...{ code: null, entry: digest('print()'), packages: digest(packages) },
  });
  expect(await readFile(join(folder.path, packagesFile), 'utf8')).toBe(packages);
  const published: string[] = [];
  for await (const [name] of publishedFiles(folder)) published.push(name);
  expect(published).toContain(packagesFile);
  // Known by now, until something is installed there.
  await mkdir(join(site, 'third-4.dist-info'));
  await writeFile(join(site, 'third-4.dist-info', 'METADATA'), 'Name: third\nVersion: 4\n');
  await keepCode(folder, file, join(python, 'bin', 'python'));
  expect(await readFile(join(folder.path, packagesFile), 'utf8')).toBe(`${packages}third==4\n`);
  // Of two with one name the first on the path is what is imported; what an installation that broke off has left has no version; and what is
  // installed may print. Also a folder that is not that of the environment itself may change.
  const second = join(data, 'second');
  for (const [name, metadata] of [
    ['another-9', 'Name: another\nVersion: 9\n'],
    ['fourth-1', 'Name: fourth\nVersion: 1\n'],
    ['broken-1', 'Name: broken\n'],
  ] as const) {
    await mkdir(join(second, `${name}.dist-info`), { recursive: true });
    await writeFile(join(second, `${name}.dist-info`, 'METADATA'), metadata);
  }
  await writeFile(join(site, 'second.pth'), `${second}\nimport sys; print("hello")\n`);
  await keepCode(folder, file, join(python, 'bin', 'python'));
  const both = 'another==3\nfourth==1\nsome-package==1.2\nthird==4\n';
  expect(await readFile(join(folder.path, packagesFile), 'utf8')).toBe(both);
  await rm(join(second, 'fourth-1.dist-info'), { recursive: true });
  await keepCode(folder, file, join(python, 'bin', 'python'));
  expect(await readFile(join(folder.path, packagesFile), 'utf8')).toBe(`${packages}third==4\n`);
  // What has its place in the run folder costs no session.
  await rm(join(folder.path, packagesFile));
  await mkdir(join(folder.path, packagesFile));
  expect((await keepCode(folder, file, join(python, 'bin', 'python'))).packages).toBeNull();
  expect(await keepCode(folder, join(data, 'none.py'), join(data, 'no-python'))).toEqual({
    ...{ code: null, entry: null, packages: null },
  });
});

it('the driver is told by its version, and materials of old, which tell none of this, are read', async () => {
  expect(parseDriver('550.54.15\n550.54.15\n')).toBe('550.54.15');
  expect(parseDriver('NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.')).toBeNull();
  const old = { trainer: null, environment: null, sdk: null, config: null, data: null, from: null };
  expect(materialsSchema.parse(old)).toEqual(old);
  const folder = await new RunFolders(data).make('r');
  expect(await readMaterials(folder)).toBeNull();
  // A trainer may write there, too, and the receipt has an end.
  for (const more of [
    { code: { commit: 'a'.repeat(1000), branch: null, isDirty: null } },
    { later: 'a'.repeat(70_000) },
  ]) {
    await writeFile(folder.materials, JSON.stringify({ ...old, ...more }));
    expect(await readMaterials(folder)).toBeNull();
  }
});
