/** What the doctor says of a machine. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { examineFolders, servers, system } from '../../launch/doctor.ts';

it('names the folders of trainers that are not there, and says nothing of the others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-doctor-'));
  try {
    const file = join(folder, 'file');
    const nowhere = join(folder, 'nowhere');
    await writeFile(file, '');
    const what = { what: 'EPOCHAL_TRAINERS', status: 'missing', remedy: 'create it, or correct EPOCHAL_TRAINERS' };
    expect(await examineFolders('EPOCHAL_TRAINERS', [folder, nowhere, file])).toEqual([
      { ...what, detail: `${nowhere}: there is no such folder` },
      { ...what, detail: `${file}: it is a file, not a folder` },
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('says what is missing on a system that is not Linux', () => {
  expect(system('linux', true)).toMatchObject([{ status: 'ok' }]);
  expect(system('darwin', false)).toMatchObject([
    { status: 'note', detail: expect.stringMatching(/^darwin, without \/proc: .*outside its group/) },
  ]);
  expect(system('win32', false)).toMatchObject([{ status: 'missing', remedy: expect.stringContaining('Linux') }]);
});

it('names those that serve workflows, and says what to do where nobody does', () => {
  const now = 1_000_000;
  const poller = (identity: string, build: string | null) => ({ identity, build, seenAt: now });
  const what = 'servers of workflows';
  expect(servers({ current: 'b', pollers: [poller('new', 'b'), poller('new', 'b'), poller('old', 'a')], now })).toEqual(
    {
      what,
      status: 'ok',
      detail: 'new (version b)',
    },
  );
  expect(servers({ current: null, pollers: [poller('plain', null)], now })).toMatchObject({
    detail: 'plain (without a version)',
  });
  const remedy = 'epochal up, or epochal server on one machine';
  expect(servers({ current: null, pollers: [], now })).toEqual({
    ...{ what, status: 'note', remedy },
    detail: expect.stringMatching(/^no server serves workflows, so every run waits: start /),
  });
  // It is there, and gets no task.
  expect(servers({ current: 'b', pollers: [poller('old', 'a')], now })).toEqual({
    ...{ what, status: 'note', remedy },
    detail: expect.stringMatching(/^workflows are for version b, which no server has, .* old serves another version/),
  });
});
