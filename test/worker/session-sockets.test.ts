/** Where the sockets of trainers are: short paths that nobody else can reach, whatever the folders are called. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { longestSocketPath, SessionSockets, supervisorSocket } from '../../worker/session-sockets.ts';

async function folders(): Promise<{ data: string; other: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-sockets-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { data: join(folder, 'data'), other: join(folder, 'other') };
}

it('they are in the data folder, in one for this user alone', async () => {
  const { data, other } = await folders();
  const path = await new SessionSockets(data, [other]).pathOf(randomUUID());
  expect(dirname(path)).toBe(join(data, 'sockets'));
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
});

it('where paths there are too long they are elsewhere', async () => {
  const { data, other } = await folders();
  const path = await new SessionSockets(join(data, 'x'.repeat(longestSocketPath)), [other]).pathOf(randomUUID());
  expect(dirname(path)).toBe(other);
  expect(Buffer.byteLength(supervisorSocket(path))).toBeLessThanOrEqual(longestSocketPath);
});

it.each<[string, (folder: string) => Promise<void>]>([
  ['holds no sockets', (folder) => writeFile(folder, 'a file')],
  ['is open to others', (folder) => mkdir(folder).then(() => chmod(folder, 0o777))],
  ['is a link, which others may have put there', (folder) => symlink(tmpdir(), folder)],
])('a folder that %s is not used', async (_, make) => {
  const { data, other } = await folders();
  await mkdir(data, { recursive: true });
  await make(join(data, 'sockets'));
  expect(dirname(await new SessionSockets(data, [other]).pathOf(randomUUID()))).toBe(other);
});

it('where no folder will do the reasons are told', async () => {
  const { data } = await folders();
  await mkdir(data, { recursive: true });
  await writeFile(join(data, 'sockets'), 'a file');
  await expect(new SessionSockets(data, []).pathOf('one')).rejects.toThrow(
    /no folder for the sockets of trainers \(.*EEXIST/,
  );
});

it('those of sessions that nobody knows any more are removed', async () => {
  const { data, other } = await folders();
  const sockets = new SessionSockets(data, [other]);
  const [kept, left] = [await sockets.pathOf(randomUUID()), await sockets.pathOf(randomUUID())];
  for (const path of [kept, supervisorSocket(kept), left, supervisorSocket(left)]) await writeFile(path, '');
  await sockets.keepOnly([kept]);
  expect(await Promise.all([kept, supervisorSocket(kept)].map((path) => stat(path)))).toHaveLength(2);
  await expect(stat(left)).rejects.toThrow('ENOENT');
  await expect(stat(supervisorSocket(left))).rejects.toThrow('ENOENT');
});
