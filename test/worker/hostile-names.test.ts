/** Names and paths that a trainer, or an output folder of someone else, gives: none leads out of the folder that it is for. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventSchema } from '../../contracts/protocol.ts';
import { ContinueFromProblem, fetchStart, findStart } from '../../worker/continue-from.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { readManifests } from '../../worker/run-report.ts';

const content = 'weights';
const digest = { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
const manifest = {
  ...{ name: 'epoch-0001', epoch: 1, batch: 0, metrics: {}, createdAt: '2026-01-01T00:00:00.000Z', session: 's' },
  files: [{ path: 'weights', ...digest }],
};

const hostileNames = ['../epoch-0001', 'a/b', '..', '.', '', '/etc', 'a\\b', 'a\0b', '.hidden', 'x'.repeat(101)];
const hostilePaths = ['../weights', '/etc/passwd', 'a/../../b', './weights', 'a//b', 'a\\..\\b', 'a\0b', '', '..'];
const hostile = [
  ...hostileNames.map((name) => ({ ...manifest, name })),
  ...hostilePaths.map((path) => ({ ...manifest, files: [{ path, ...digest }] })),
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-hostile-'));
  await writeFile(join(folder, 'weights'), content);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a checkpoint that a trainer tells of', () => {
  expect(eventSchema.safeParse({ type: 'checkpoint', checkpoint: manifest }).success).toBe(true);
  for (const checkpoint of hostile)
    expect(eventSchema.safeParse({ type: 'checkpoint', checkpoint }).success, JSON.stringify(checkpoint)).toBe(false);
});

it('a manifest in the run folder', async () => {
  const run = await new RunFolders(join(folder, 'data')).make('run');
  const path = join(run.checkpoints, manifest.name);
  await mkdir(path);
  for (const one of hostile) {
    await writeFile(join(path, 'checkpoint.json'), JSON.stringify(one));
    expect(await readManifests(run), JSON.stringify(one)).toEqual([]);
  }
  await writeFile(join(path, 'checkpoint.json'), JSON.stringify(manifest));
  expect(await readManifests(run)).toEqual([manifest]);
});

describe('an output folder to continue from', () => {
  const start = (one: unknown) => write('epoch-0001', JSON.stringify(one));
  const write = async (checkpoint: string, text: string) => {
    await mkdir(join(folder, 'output', 'checkpoints', checkpoint), { recursive: true });
    await writeFile(join(folder, 'output', 'checkpoints', checkpoint, 'checkpoint.json'), text);
  };
  const wanted = { checkpoint: 'last', keepProgress: true } as const;

  it('with a manifest that leads out of it has no checkpoint', async () => {
    const outputFolder = join(folder, 'output');
    for (const one of [...hostile, { ...manifest, session: undefined }]) {
      await start(one);
      await expect(findStart({ ...wanted, outputFolder }, 'one')).rejects.toThrow(ContinueFromProblem);
    }
    await start(manifest);
    expect((await findStart({ ...wanted, outputFolder }, 'one')).manifest).toEqual(manifest);
    // The manifest of one folder names another one.
    await write('epoch-0001', JSON.stringify({ ...manifest, name: 'epoch-0002' }));
    await expect(findStart({ ...wanted, outputFolder }, 'one')).rejects.toThrow(ContinueFromProblem);
  });

  it('with what is no JSON has no checkpoint', async () => {
    await write('epoch-0001', '{');
    const outputFolder = join(folder, 'output');
    await expect(findStart({ ...wanted, outputFolder }, 'one')).rejects.toThrow(ContinueFromProblem);
    await start(manifest);
    await writeFile(join(outputFolder, 'receipt.json'), '{');
    expect((await findStart({ ...wanted, outputFolder }, 'one')).manifest).toEqual(manifest);
  });

  it('with a link in the place of a file gives nothing', async () => {
    const run = await new RunFolders(join(folder, 'data')).make('run');
    const outputFolder = join(folder, 'store', 'output');
    const checkpoint = join(outputFolder, 'checkpoints', 'epoch-0001');
    await mkdir(checkpoint, { recursive: true });
    await writeFile(join(checkpoint, 'checkpoint.json'), JSON.stringify(manifest));
    await symlink(join(folder, 'weights'), join(checkpoint, 'weights'));
    const fetched = fetchStart({ ...wanted, outputFolder }, 'one', run, new AbortController().signal);
    await expect(fetched).rejects.toThrow('leads out of the store through a symbolic link');
    expect(existsSync(join(run.path, 'start', 'epoch-0001', 'weights'))).toBe(false);
  });
});
