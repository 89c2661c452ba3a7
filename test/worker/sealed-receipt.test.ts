/** What a receipt says of what a run was made of: digests that anybody can check, and null where nobody can know. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import type { DataSummary } from '../../contracts/data-report.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import type { Materials } from '../../contracts/receipt-facts.ts';
import type { SystemPeaks } from '../../contracts/system-metrics.ts';
import { fileList } from '../../stores/file-list.ts';
import { openFolder } from '../../stores/open-store.ts';
import { startedFrom } from '../../worker/continue-from.ts';
import { isBookkeeping, type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { factsOf, sealReceipt } from '../../worker/sealed-receipt.ts';
import { keepMaterials } from '../../worker/trainer-materials.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const lines = (files: Record<string, string>) =>
  Object.entries(files)
    .map(([path, text]) => `${digest(text)}  ${path}\n`)
    .join('');
const life = { namespace: 'n', chain: ['first', 'last'] };
const receipt = { run: 'r' } as Receipt;

let data: string;
let folder: RunFolder;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'sealed-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  folder = await new RunFolders(data).make('r');
});

/** On a host without Python and GPU: of the environment nothing can be told. */
const keep = (program: { name: string; file: string }, from: Materials['from']) =>
  keepMaterials(folder, program, from, { python: join(data, 'no-python'), image: null, driver: null, config: {} });

async function trainer(files: Record<string, string>): Promise<{ name: string; file: string }> {
  const at = join(data, 'trainers', 'digits');
  await mkdir(join(at, '__pycache__'), { recursive: true });
  await writeFile(join(at, '__pycache__', 'trainer.pyc'), 'not a part of it');
  for (const [path, text] of Object.entries(files)) await writeFile(join(at, path), text);
  return { name: 'digits', file: join(at, 'trainer.py') };
}

it('the digests of a trainer are those of its files, its locked environment and the SDK', async () => {
  const files = { 'requirements.lock': 'numpy==2', 'trainer.py': 'print()' };
  const materials = await keep(await trainer(files), null);
  expect(materials).toEqual({
    ...{ trainer: digest(lines(files)), environment: digest('numpy==2'), sdk: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ...{ config: null, data: null, from: null, code: null, entry: digest('print()'), packages: null, driver: null },
    image: null,
  });
  expect(JSON.parse(await readFile(folder.materials, 'utf8'))).toEqual(materials);
  expect(isBookkeeping('materials.json')).toBe(true);
  const changed = await keep(await trainer({ 'trainer.py': 'print(1)' }), null);
  expect([changed.trainer === materials.trainer, changed.environment === materials.environment]).toEqual([false, true]);
});

it('a trainer of one file is that file alone, without a locked environment; one that is too large is unknown', async () => {
  const file = join(data, 'one.py');
  await writeFile(file, 'print()');
  await writeFile(join(data, 'two.py'), '');
  const one = await keep({ name: 'one', file }, null);
  expect(one).toMatchObject({ trainer: digest(lines({ 'one.py': 'print()' })), environment: null });
  const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`weights-${index}`, '']));
  expect((await keep(await trainer({ ...many, 'trainer.py': '' }), null)).trainer).toBeNull();
});

it('the checkpoint that a run began with stays known to later sessions, which fetch none', async () => {
  const from = { run: 'other', life: 'l', checkpoint: 'epoch-0003', sha256: digest('') };
  const program = await trainer({ 'trainer.py': '' });
  await keep(program, from);
  expect((await keep(program, null)).from).toEqual(from);
});

it('that checkpoint is told by its run, life and manifest, whether the run there has an id or only a folder', async () => {
  const output = join(data, 'out', 'before');
  const name = 'epoch-0003';
  const manifest = {
    name,
    epoch: 3,
    batch: 0,
    metrics: {},
    files: [],
    createdAt: '2026-01-01T00:00:00Z',
    session: 's',
  };
  const text = JSON.stringify(manifest);
  await mkdir(join(output, 'checkpoints', name), { recursive: true });
  await writeFile(join(output, 'checkpoints', name, 'checkpoint.json'), text);
  await openFolder(join(data, 'out')).prepare(false);
  const wanted = { outputFolder: output, checkpoint: 'best', keepProgress: true };
  const told = { run: 'before', life: null, checkpoint: name, sha256: digest(text) };
  expect(await startedFrom(wanted, manifest)).toEqual(told);
  await writeFile(join(output, 'life.json'), JSON.stringify({ run: 'its-id', life }));
  expect(await startedFrom(wanted, manifest)).toEqual({ ...told, run: 'its-id', life: 'first' });
});

it('a receipt has them, and whose it is, in which store, of which files; what a host is gone for is as it was told', async () => {
  const store = openFolder(join(data, 'store'));
  await store.prepare(false);
  const config = await store.write('config.yaml', 'epochs: 3');
  const files = [{ path: 'metrics.jsonl', size: 1, sha256: digest('m') }, config];
  const summary = { splitSha256: digest('split') } as DataSummary;
  const weights = await store.write('out/checkpoints/epoch-0001/weights', 'w');
  const checkpoints = [{ files: [{ ...weights, path: 'checkpoints/epoch-0001/weights' }] }] as Receipt['checkpoints'];
  const landed = { life, store, output: 'out', checkpoints, receipt, files, config, data: summary };
  const here = await keep(await trainer({ 'trainer.py': '' }), null);
  const facts = await factsOf({ ...landed, folder });
  expect(facts).toEqual({
    ...{ life, storeIdentity: await store.identity(), filesSha256: digest(fileList(files)) },
    materials: { ...here, config: digest('epochs: 3'), data: digest('split') },
    proofs: { checksum: 0, readBack: 1 },
  });
  const unknown = { trainer: null, environment: null, sdk: null, from: null };
  expect((await factsOf({ ...landed, folder: null, data: null })).materials).toEqual({
    ...{ ...unknown, config: digest('epochs: 3'), data: null },
  });
  // What its sessions took at most, as it was measured; else as it was told before.
  const system = { seconds: 5, cpu: 1 } as SystemPeaks;
  expect((await factsOf({ ...landed, folder, system })).system).toEqual(system);
  expect((await factsOf({ ...landed, folder, receipt: { ...receipt, system }, system: null })).system).toEqual(system);
  const told: Materials = { ...here, config: null, data: null };
  const again = await factsOf({ ...landed, folder: null, receipt: { ...receipt, materials: told } });
  expect(again.materials).toEqual(facts.materials);
  await sealReceipt(store, 'out', { ...receipt, ...facts });
  const written = JSON.parse(await readFile(join(data, 'store', 'out', 'receipt.json'), 'utf8'));
  expect(written).toEqual({ run: 'r', ...facts });
});
