/** The package as users have it: packed, installed into an empty folder, and started there. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { version } from '../../client/version.ts';
import { receiptSchema } from '../../contracts/receipt.ts';
import { findPython } from '../../worker/python-tools.ts';
import { runProgram } from '../../worker/run-program.ts';
import { bytesBelow, call, installInto, packInto } from '../support/installed-package.ts';

// Packing builds everything, and installing may download: on two busy cores that takes a while.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const root = fileURLToPath(new URL('../..', import.meta.url));
let scratch: string;
let project: string;
let packed: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'epochal-package-'));
  project = join(scratch, 'project');
  packed = await packInto(scratch);
  await installInto(project, packed);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** All packages that are installed, by name. */
async function installedPackages(): Promise<string[]> {
  const lock = await readFile(join(project, 'node_modules', '.package-lock.json'), 'utf8');
  const { packages } = z.object({ packages: z.record(z.string(), z.unknown()) }).parse(JSON.parse(lock));
  return Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
}

const compilers = ['vite', 'rolldown', 'esbuild', 'tsx', 'typescript'];

/** Packages that these folders' sources import. */
async function importedBy(folders: readonly string[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const folder of folders) {
    const files = await readdir(join(root, folder), { recursive: true });
    for (const file of files.filter((path) => /\.tsx?$/.test(path))) {
      const text = await readFile(join(root, folder, file), 'utf8');
      for (const [, name] of text.matchAll(/(?:from |import |import\()'((?:@[^/']+\/)?[^./'][^/']*)/g)) {
        if (name) names.add(name);
      }
    }
  }
  return names;
}

test('an installed package has no web library, no compiler, no sources, and takes at most 340 MB', async () => {
  const packages = await installedPackages();
  const ours = await importedBy([
    'contracts',
    'workflows',
    'activities',
    'worker',
    'stores',
    'client',
    'server',
    'launch',
  ]);
  const webs = [...(await importedBy(['web/src']))].filter((name) => !ours.has(name));
  expect(webs).toEqual(expect.arrayContaining(['react', 'uplot', '@mantine/core']));
  expect(packages).toContain('@temporalio/worker');
  expect(packages.filter((name) => webs.includes(name) || compilers.includes(name))).toEqual([]);
  const files = await readdir(join(project, 'node_modules', 'epochal'), { recursive: true });
  expect(files.filter((file) => /(?<!\.d)\.tsx?$|__pycache__|\.pyc$|node_modules/.test(file))).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining([
      'web/dist/index.html',
      'trainers/epochal/epochal/__init__.py',
      'observers/trackers/mlflow_tracker.py',
      'observers/trackers/wandb_tracker.py',
    ]),
  );
  const bytes = await bytesBelow(join(project, 'node_modules'));
  process.stdout.write(`node modules: ${Math.round(bytes / 1e6)} MB\n`);
  expect(bytes).toBeLessThan(340e6);
});

test('epochal up in an empty folder trains the demo: a receipt as its last line, and nothing stays, there or running', async () => {
  const [folder, data] = [join(scratch, 'empty'), join(scratch, 'data')];
  await mkdir(folder);
  const program = join(project, 'node_modules', '.bin', 'epochal');
  const stdout = await call(program, ['up', '--demo'], { cwd: folder, env: { EPOCHAL_DATA_DIR: data } });
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  const receipt = receiptSchema.parse(JSON.parse(lines[0] ?? ''));
  expect(receipt.outcome).toBe('completed');
  for (const { files } of receipt.checkpoints) {
    for (const { path, size } of files) expect((await stat(join(receipt.outputFolder ?? '', path))).size).toBe(size);
  }
  expect(await readdir(folder)).toEqual([]);
  expect(existsSync(join(data, 'temporal.json'))).toBe(false);
  // Servers name their database in the command line, trainers their run folder.
  const { stdout: processes } = await runProgram('ps', ['-eo', 'args=']);
  expect(processes.split('\n').filter((line) => line.includes(data))).toEqual([]);
});

test('its command says its version; help loads nothing that it does not need', async () => {
  expect((await call('npx', ['epochal', '--version'], { cwd: project })).trim()).toBe(version);
  const program = join(project, 'node_modules', 'epochal', 'bin', 'epochal.mjs');
  const loads = async (...args: string[]) => {
    const loaded = await mkdtemp(join(scratch, 'loaded-'));
    const record = ['--import', join(root, 'test', 'launch', 'modules-loaded.mjs')];
    const env = { LOADED_MODULES: join(loaded, 'modules') };
    const said = await call(process.execPath, [...record, program, ...args], { cwd: project, env });
    return { said, modules: (await readFile(env.LOADED_MODULES, 'utf8')).trim().split('\n') };
  };
  const overview = await loads('--help');
  expect(overview.said).toBe((await loads('-h')).said);
  expect(overview.modules.filter((url) => /node_modules\/(?!epochal\/(bin|launch)\/)/.test(url))).toEqual([]);
  const { modules } = await loads('status', '--help');
  process.stdout.write(`epochal status --help loads ${modules.length} modules\n`);
  expect(
    modules.filter((url) =>
      /\/(@temporalio|fastify|pino|xstate|protobufjs|@grpc|yaml|cli-progress|cli-table3)\//.test(url),
    ),
  ).toEqual([]);
});

test('its client, contracts and worker are imported by name, with their types', async () => {
  const text = `
    import { TrainingClient } from 'epochal/client';
    import { ConfigError } from 'epochal/client/errors';
    import type { Receipt } from 'epochal/contracts/receipt';
    import { runConfigSchema } from 'epochal/contracts/run-config';
    import { startWorker } from 'epochal/worker';
    export const receiptOf = async (client: TrainingClient): Promise<Receipt> => client.result('run');
    // @ts-expect-error what is imported has types: a receipt is not a number
    export const wrong = async (client: TrainingClient): Promise<number> => client.result('run');
    const names = [TrainingClient, ConfigError, startWorker].map(({ name }) => name);
    process.stdout.write([...names, runConfigSchema.parse({ trainer: 'digits', epochs: 3 }).trainer].join(' '));
  `;
  await writeFile(join(project, 'program.ts'), text);
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
  const strict = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', ...types];
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await call(process.execPath, [compiler, ...strict, 'program.ts'], { cwd: project });
  const printed = await call(process.execPath, ['program.js'], { cwd: project });
  expect(printed).toBe('TrainingClient ConfigError startWorker digits');
});

test('the wheel brings the SDK with its types, and the command, which installs the service by the lock file', async () => {
  const [wheels, environment] = [join(scratch, 'wheels'), join(scratch, 'python')];
  await call(process.execPath, [join(root, 'launch', 'build-wheel.mjs'), wheels, packed], { cwd: root });
  const wheel = (await readdir(wheels)).find((name) => name.endsWith('.whl')) ?? '';
  expect(wheel).toBe(`epochal-${version}-py3-none-any.whl`);
  await call((await findPython()).path, ['-m', 'venv', environment], { cwd: scratch });
  const python = join(environment, 'bin', 'python');
  await call(python, ['-m', 'pip', 'install', '--quiet', join(wheels, wheel)], { cwd: scratch });

  const sdk =
    'import epochal, epochal.datasets, pathlib; print(epochal.__version__, pathlib.Path(epochal.__file__).parent)';
  const [said, folder] = (await call(python, ['-c', sdk], { cwd: scratch })).trim().split(' ');
  expect(said).toBe(version);
  expect(existsSync(join(folder ?? '', 'py.typed'))).toBe(true);

  const cache = join(scratch, 'cache');
  const epochal = (env: NodeJS.ProcessEnv) =>
    call(join(environment, 'bin', 'epochal'), ['--version'], {
      cwd: scratch,
      env: { EPOCHAL_CACHE_DIR: cache, ...env },
    });
  await expect(epochal({ PATH: '/no-such-folder' })).rejects.toThrow(/needs Node .*none was found.*epochal\[server\]/);
  expect((await epochal({})).trim()).toBe(version);
  const [installed] = await readdir(join(cache, 'service'));
  const locked = await versionsIn(join(root, 'package-lock.json'));
  const here = await versionsIn(join(cache, 'service', installed ?? '', 'node_modules', '.package-lock.json'));
  expect(here.size).toBeGreaterThan(100);
  for (const [path, installedVersion] of here) expect(installedVersion, path).toBe(locked.get(path));
});

async function versionsIn(lockFile: string): Promise<Map<string, string | undefined>> {
  const schema = z.object({ packages: z.record(z.string(), z.object({ version: z.string().optional() })) });
  const { packages } = schema.parse(JSON.parse(await readFile(lockFile, 'utf8')));
  return new Map(Object.entries(packages).map(([path, entry]) => [path, entry.version]));
}
