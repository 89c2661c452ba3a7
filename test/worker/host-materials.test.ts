/** What a host answers to whoever wants to start a run again: what it would train with, without installing anything for the answer. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it, onTestFinished, vi } from 'vitest';
import { trainerMaterials } from '../../activities/trainer-materials.ts';
import { type HostMaterials, hostMaterialsSchema } from '../../contracts/host-materials.ts';
import { Devices } from '../../worker/devices.ts';
import { findPython } from '../../worker/python-tools.ts';
import { TrainerCatalog } from '../../worker/trainer-catalog.ts';

it('tells code, changes, SDK, driver, and packages where they are installed', async () => {
  const data = await mkdtemp(join(tmpdir(), 'host-materials-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const cache = join(data, 'cache');
  vi.stubEnv('EPOCHAL_CACHE_DIR', cache);
  onTestFinished(() => void vi.unstubAllEnvs());
  const top = join(data, 'repository');
  await mkdir(top);
  await writeFile(join(top, 'mine.py'), 'print()\n');
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', top, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      ...{ stdio: 'ignore', env: { PATH: process.env.PATH, HOME: data } },
    });
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'first');
  await writeFile(join(top, 'mine.py'), 'print(1)\n');
  const trainers = new TrainerCatalog([top]);
  const host = { id: 'one', trainers, devices: new Devices([], '550.54') };
  const ask = async (question: unknown): Promise<HostMaterials> => {
    const answer: unknown = await new MockActivityEnvironment().run(trainerMaterials(host), question);
    return hostMaterialsSchema.parse(answer);
  };
  const answer = await ask({ trainer: 'mine' });
  expect(answer).toMatchObject({
    ...{ host: 'one', packages: null },
    materials: {
      ...{ entry: createHash('sha256').update('print(1)\n').digest('hex'), packages: null, driver: '550.54' },
      ...{ sdk: expect.any(String), code: { isDirty: true, diff: { isTruncated: false } }, from: null },
    },
  });
  expect(await readdir(cache).catch(() => [])).toEqual([]);
  // A person who wants none of the changes kept has them looked at for no comparison either.
  expect((await ask({ trainer: 'mine', code: 'none' })).materials.code).toMatchObject({ isDirty: true, diff: null });
  await expect(ask({ trainer: 'other' })).rejects.toThrow('there is no trainer other on one');
  await expect(ask({ trainer: '../mine' })).rejects.toThrow(/^trainer is "\.\.\/mine": must consist of/);
  // As if it were installed: what its Python has.
  const { path } = await findPython();
  vi.spyOn(trainers, 'readyPython').mockResolvedValue(path);
  const installed = await ask({ trainer: 'mine' });
  expect(installed.packages === null ? null : createHash('sha256').update(installed.packages).digest('hex')).toBe(
    installed.materials.packages,
  );
  expect(installed.materials.packages).not.toBeNull();
});
