/** Folders of runs that ended without this host: what is older than what landed, what was never begun, what to tell of them. */
import { existsSync } from 'node:fs';
import { appendFile, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TrainingClient } from '../../client/training-client.ts';
import type { KeptFolder } from '../../contracts/host-messages.ts';
import { salvageId } from '../../contracts/salvage-messages.ts';
import { filesBelow, isBookkeeping } from '../../worker/run-folders.ts';
import { Upkeep } from '../../worker/upkeep.ts';
import { contentOf } from '../support/content-of.ts';
import { TestHost, type TestRun } from '../support/test-host.ts';

let host: TestHost;
let client: TrainingClient;
beforeAll(async () => {
  host = await TestHost.start();
  client = new TrainingClient(host.client, { workflowQueue: host.settings.workflowQueue });
});
afterAll(() => host?.stop());

const id = () => host.worker.host.id;
const folderOf = (run: string) => host.worker.host.folders.of(run).path;
const outputOf = (run: string) => join(host.settings.store, 'experiments', 'default', run);
const salvageOf = (run: string) => host.client.workflow.getHandle(salvageId(run));
const upkeep = () => new Upkeep(host.worker.host).round();

async function listed(run: string): Promise<KeptFolder | undefined> {
  const [answer] = await client.keptFolders({ host: id() });
  return answer?.ok ? answer.folders.find((folder) => folder.run === run) : undefined;
}

/** A run that has landed, and a folder of it as a host that was left after its first epoch would still have it. */
async function landedElsewhere(): Promise<TestRun> {
  const run = await host.start(host.config({ epochs: 3, parameters: { batches: 20, batch_seconds: 0.05 } }));
  await run.until('has an epoch', ({ position }) => position.epoch >= 1);
  const beside = join(host.settings.dataFolder, `older-${run.id}`);
  const path = folderOf(run.id);
  for await (const file of filesBelow(path)) {
    // What the trainer is just writing is not whole yet, and may be renamed meanwhile.
    if (isBookkeeping(file) || (file.startsWith('checkpoints/') && !file.startsWith('checkpoints/epoch-0001/')))
      continue;
    await cp(join(path, file), join(beside, file));
  }
  expect(await run.result()).toMatchObject({ outcome: 'completed', localFolder: { kind: 'removed' } });
  await cp(beside, path, { recursive: true });
  expect(existsSync(join(path, 'run.json'))).toBe(true);
  return run;
}

/** A run that failed: all of it is in the store, and its folder is kept. */
async function kept(): Promise<string> {
  const config = host.config({ parameters: { fail_at: '2:1', fail_times: 0 }, failures: { restarts: 0 } });
  const run = await host.start(config);
  await run.handle.result().catch(() => undefined);
  return run.id;
}

describe('a folder that is older than what its run has landed', () => {
  it('is put nowhere by a salvage, told as what it is, refused to be published, and goes', async () => {
    const run = await landedElsewhere();
    const landed = await contentOf(outputOf(run.id));
    await host.worker.host.closedRuns.salvage({ run: run.id, place: run.id }, true);
    expect(await salvageOf(run.id).result()).toEqual(await run.result());
    expect(await contentOf(outputOf(run.id))).toEqual(landed);
    expect(await listed(run.id)).toMatchObject({
      state: 'left',
      stored: false,
      why: expect.stringContaining('continued elsewhere'),
    });
    await expect(client.publishKept(id(), run.id)).rejects.toThrow(
      `run is "${run.id}": its files on ${id()} are older than those published in ${outputOf(run.id)}, and are not published over them`,
    );
    await upkeep();
    expect(existsSync(folderOf(run.id))).toBe(false);
    expect(await contentOf(outputOf(run.id))).toEqual(landed);
  });
});

describe('a folder without run.json', () => {
  it('goes with its run when there is nothing to save, and nobody is asked to salvage it', async () => {
    await host.worker.host.folders.make('never-begun');
    expect(await listed('never-begun')).toMatchObject({ state: 'left', stored: false });
    await expect(client.publishKept(id(), 'never-begun')).rejects.toThrow(
      `run is "never-begun": its folder on ${id()} has no run.json that says where it belongs`,
    );
    await upkeep();
    expect(existsSync(folderOf('never-begun'))).toBe(false);
    await expect(salvageOf('never-begun').describe()).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  it('stays with its checkpoints, and is removed on request', async () => {
    const run = await kept();
    for (const file of ['kept.json', 'run.json']) await rm(join(folderOf(run), file));
    await upkeep();
    expect(existsSync(join(folderOf(run), 'checkpoints', 'epoch-0001', 'checkpoint.json'))).toBe(true);
    await client.removeKept(id(), run);
    expect(existsSync(folderOf(run))).toBe(false);
  });

  it('stays while its run is open', async () => {
    const draft = await host.start(host.config(), { draft: true });
    await host.worker.host.folders.make(draft.id);
    await upkeep();
    expect(existsSync(folderOf(draft.id))).toBe(true);
    expect(await listed(draft.id)).toMatchObject({ state: 'live', why: 'its run is not over' });
    await expect(client.removeKept(id(), draft.id)).rejects.toThrow('its folder is in use (its run is not over)');
    await draft.handle.terminate();
  });
});

describe('a kept folder', () => {
  it('is called stored while all of it is, read again, and its checkpoints are in the receipt', async () => {
    const run = await kept();
    expect(await listed(run)).toMatchObject({ state: 'kept', stored: true });
    const added = join(folderOf(run), 'artifacts', 'notes.txt');
    await writeFile(added, 'not published');
    expect(await listed(run)).toMatchObject({ stored: false });
    await rm(added);
    expect(await listed(run)).toMatchObject({ stored: true });
    const receipt = join(outputOf(run), 'receipt.json');
    const told = await readFile(receipt, 'utf8');
    await writeFile(receipt, JSON.stringify({ ...JSON.parse(told), checkpoints: [] }));
    expect(await listed(run)).toMatchObject({ stored: false });
    await writeFile(receipt, told);
    await appendFile(join(outputOf(run), 'checkpoints', 'epoch-0001', 'weights.json'), ' ');
    expect(await listed(run)).toMatchObject({ stored: false });
    await expect(client.publishKept(id(), 'unknown')).rejects.toThrow(`run is "unknown": ${id()} has no folder of it`);
  });
});
