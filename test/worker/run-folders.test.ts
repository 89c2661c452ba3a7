/** What of a run folder matters to its host alone, and which data folders are read at all. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makePrivate } from '../../worker/private-folder.ts';
import { appendToFile, hostId, isBookkeeping, OtherLayout, RunFolders, readIfThere } from '../../worker/run-folders.ts';
import { until } from '../support/until.ts';

describe('bookkeeping, which is never published,', () => {
  it.each(['lock', 'session.json', 'start/weights.json', 'run.json.1a2b.tmp', 'ranks-x_1/rank-1.json'])(
    'is %s',
    (path) => expect(isBookkeeping(path)).toBe(true),
  );
  it.each(['run.json', 'logs/trainer.log', 'artifacts/ranks-x/rank-1.json', 'ranks-1.json', 'artifacts/lock'])(
    'is not %s',
    (path) => expect(isBookkeeping(path)).toBe(false),
  );
});

it.each([{}, { layout: 3 }])(
  'a data folder of another layout is refused while it has run folders: %j',
  async (other) => {
    const data = await mkdtemp(join(tmpdir(), 'epochal-layout-'));
    onTestFinished(() => rm(data, { recursive: true, force: true }));
    const file = join(data, 'host.json');
    const before = JSON.stringify({ host: 'gpu-1', ...other });
    await writeFile(file, before);
    const folders = new RunFolders(data);
    await folders.make('theirs');
    await expect(hostId(data)).rejects.toThrow(OtherLayout);
    await expect(hostId(data)).rejects.toThrow(
      /has the layout \d of another version, and this one reads 2\. It holds run folders \(theirs\): start that version on it/,
    );
    expect(await readFile(file, 'utf8')).toBe(before);
    await folders.remove('theirs');
    expect(await hostId(data)).toBe('gpu-1');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ host: 'gpu-1', layout: 2 });
  },
);

it('a folder in which another process still writes its last files is removed all the same', async () => {
  const data = await mkdtemp(join(tmpdir(), 'epochal-folders-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const folders = new RunFolders(data);
  const { path } = await folders.make('theirs');
  const writes = 'i=0; while [ $i -lt 2000 ] && : > "$1/$i"; do i=$((i+1)); done';
  const writer = spawn('sh', ['-c', writes, 'sh', path], { stdio: 'ignore' });
  const ended = once(writer, 'exit');
  await until('it writes', async () => (await readIfThere(join(path, '0'))) !== null);
  await folders.remove('theirs');
  expect(await folders.list()).toEqual([]);
  await ended;
});

it('the data folder and the logs of a run are closed to others; a folder of all users is refused as it is', async () => {
  const data = await mkdtemp(join(tmpdir(), 'epochal-private-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const modeOf = async (path: string) => (await stat(path)).mode & 0o7777;
  await chmod(data, 0o755);
  await hostId(data);
  expect(await modeOf(data)).toBe(0o700);
  const { logs } = await new RunFolders(data).make('run');
  expect(await modeOf(logs)).toBe(0o700);
  const shared = join(data, 'shared');
  await mkdir(shared);
  await chmod(shared, 0o1777);
  await expect(makePrivate(shared)).rejects.toThrow('all users of this machine share it');
  expect(await modeOf(shared)).toBe(0o1777);
});

it('what a trainer put in the place of a file is none, and holds nobody up: a pipe, a folder, a link, too much', async () => {
  const data = await mkdtemp(join(tmpdir(), 'epochal-places-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const [file, pipe, folder, link] = ['file', 'pipe', 'folder', 'link'].map((name) => join(data, name)) as [
    ...[string, string, string, string],
  ];
  await appendToFile(file, 'whole');
  execFileSync('mkfifo', [pipe]);
  await mkdir(folder);
  await symlink(file, link);
  expect([await readIfThere(file), await readIfThere(file, 5), await readIfThere(file, 4)]).toEqual([
    ...['whole', 'whole', null],
  ]);
  for (const other of [pipe, folder, link, join(data, 'none'), join(file, 'none')])
    expect(await readIfThere(other)).toBeNull();
  for (const other of [pipe, folder, link])
    await expect(appendToFile(other, 'more')).rejects.toThrow(/ENXIO|EISDIR|ELOOP/);
  expect(await readFile(file, 'utf8')).toBe('whole');
});
