/** What a session is called: as its run says, and never like one that was there before. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { protocolVersion, type SessionFile, sessionFileSchema } from '../../contracts/protocol.ts';
import type { OpenSessionInput } from '../../contracts/run-activities.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { sessionName } from '../../worker/session-start.ts';

const next = { id: 'second', generation: 2 };
const asks = (more: object) => more as OpenSessionInput;

async function folderWith(session: Partial<SessionFile> & Record<string, unknown>) {
  const data = await mkdtemp(join(tmpdir(), 'session-name-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const folder = await new RunFolders(data).make('r');
  const file = {
    ...{ protocol: protocolVersion, run: 'r', session: 'first', runFolder: folder.path, epochs: 1, endsAfter: null },
    ...{ parameters: {}, data: null, seed: 1, everyBatches: 0, resumeFrom: null, keepProgress: true, batchDivisor: 1 },
  };
  await writeFile(folder.session, JSON.stringify({ ...file, ...session }));
  return folder;
}

it('is what the run says, whatever version the session before was of', async () => {
  for (const before of [{}, { generation: 1 }, { generation: 1, gang: 'g' }, { protocol: 99 as never }]) {
    expect(await sessionName(asks({ next }), await folderWith(before))).toEqual(next);
  }
});

it('is new where the same request comes again: the first time may have opened it', async () => {
  const { id, generation } = await sessionName(asks({ next }), await folderWith({ session: 'second', generation: 2 }));
  expect(id).not.toBe('second');
  expect(generation).toBe(2);
});

it('is made here for a run of old, which says none', async () => {
  const name = await sessionName(asks({}), await folderWith({}));
  expect(name).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
});

it('is in a session file that readers of old and of later versions take', async () => {
  const folder = await folderWith({});
  expect(sessionFileSchema.parse(await sessionFileOf(folder.session, {}))).not.toHaveProperty('generation');
  const later = { generation: 3, members: [{ index: 0 }] };
  expect(sessionFileSchema.parse(await sessionFileOf(folder.session, later))).toMatchObject(later);
});

const sessionFileOf = async (path: string, more: object) => ({
  ...JSON.parse(await readFile(path, 'utf8')),
  ...more,
});
