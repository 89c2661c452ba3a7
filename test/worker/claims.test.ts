/** Whose a folder is, however often its run has continued in another execution since. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { chainWith, type Life } from '../../contracts/life.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { openStore } from '../../stores/open-store.ts';
import { claimFolder, claimOutput, OtherLife, requireFolder } from '../../worker/claims.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { readRunFile } from '../../worker/run-report.ts';
import { Runs } from '../../worker/runs.ts';
import { LiveSession } from '../../worker/session.ts';
import { Sessions, type SessionsParts } from '../../worker/sessions.ts';

const config = runConfigSchema.parse({ run: 'r', trainer: 'counter', epochs: 3 });
const lifeOf = (chain: string[]): Life => ({ namespace: 'n', chain });
/** A life's chains, one execution after the other. */
function* chains(count: number): Generator<string[]> {
  let chain: string[] = [];
  for (let index = 1; index <= count; index++) {
    chain = chainWith(chain, `e${index}`);
    yield chain;
  }
}

describe('a run folder', () => {
  let data: string;
  let folder: RunFolder;
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'claims-'));
    folder = await new RunFolders(data).make('r');
  });
  afterEach(() => rm(data, { recursive: true, force: true }));

  it('is its life’s after more executions than a chain remembers, and names the last of them', async () => {
    await claimFolder(folder, { config }, 'h', lifeOf(['e1', 'e2']));
    let last: string[] = [];
    for (const chain of chains(60)) {
      last = chain;
      if (chain.length > 1) await requireFolder(folder, lifeOf(chain));
    }
    expect((await readRunFile(folder))?.life.chain).toEqual(last);
    await expect(requireFolder(folder, lifeOf(['e1', 'another']))).rejects.toThrow(OtherLife);
    expect((await readRunFile(folder))?.life.chain).toEqual(last);
  });

  it('and its session are told of every execution that speaks to the session', async () => {
    await claimFolder(folder, { config }, 'h', lifeOf(['e1', 'e2']));
    const log = pino({ level: 'silent' });
    const session = new LiveSession({
      name: { id: 's' },
      run: 'r',
      host: 'h',
      folder,
      life: lifeOf(['e1', 'e2']),
      config,
      startEpoch: 0,
      log,
    });
    const sessions = new Sessions({ log, runs: { life: lifeOf } } as unknown as SessionsParts);
    sessions.find = () => session;
    let last: string[] = [];
    for (const chain of chains(60)) {
      last = chain;
      if (chain.length > 1) expect(await sessions.findOwn({ place: 'r', chain }, session.id)).toBe(session);
    }
    expect(session.life.chain).toEqual(last);
    expect((await readRunFile(folder))?.life.chain).toEqual(last);
    await expect(sessions.findOwn({ place: 'r', chain: ['e1', 'another'] }, session.id)).rejects.toThrow(OtherLife);
  });
});

it('an output folder with files and no claim, as another version left it, is nobody’s to write into', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'claims-store-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const store = openStore(folder);
  await store.prepare(false);
  await store.write('p/r/receipt.json', '{}');
  const life = lifeOf(['e1', '00000000-0000-0000-0000-0000000000e2']);
  await expect(claimOutput(store, 'p/r', 'r', life)).rejects.toThrow(/an unknown owner.*is left untouched/);
  expect(await store.read('p/r/life.json')).toBe(null);
});

describe('a life whose last known execution the server has forgotten', () => {
  const long = [...chains(60)].at(-1) as string[];
  const runs = (status: string, chain: string[]) => {
    const known = { describe: async () => ({ status: { name: status } }), query: async () => ({ chain }) };
    const gone = { describe: () => Promise.reject(new WorkflowNotFoundError('gone', 'r', undefined)) };
    const getHandle = (_: string, execution?: string) => (execution === undefined ? known : gone);
    const client = { workflow: { getHandle }, options: {} } as unknown as Client;
    return new Runs(client, 'n', 'q', pino({ level: 'silent' }), async () => null);
  };

  it('is open where the run that is open goes on with it', async () => {
    expect(await runs('RUNNING', ['e1', 'e2']).isOpen('r', lifeOf(['e1']))).toBe(true);
    expect(await runs('RUNNING', long).isOpen('r', lifeOf(['e1', 'e2']))).toBe(true);
  });
  it('is over where nothing is open, or another life is', async () => {
    expect(await runs('COMPLETED', ['e1', 'e2']).isOpen('r', lifeOf(['e1']))).toBe(false);
    expect(await runs('RUNNING', ['another']).isOpen('r', lifeOf(['e1']))).toBe(false);
  });
});
