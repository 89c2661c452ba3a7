/** Who wanted a run, and who asked something of it, stays with it: in its view, its folder, its events, its receipt. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TrainingClient } from '../../client/training-client.ts';
import type { Asked } from '../../contracts/asked.ts';
import { observedEventSchema } from '../../contracts/observed-events.ts';
import { Hold } from '../faults/hold.ts';
import { readJson, TestHost } from '../support/test-host.ts';

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start();
});
afterAll(() => host?.stop());

const asked = (requestId: string): Asked => ({ by: { kind: 'person', id: 'p-1', via: 'http' }, requestId });

it('as later versions tell it, too', async () => {
  const client = new TrainingClient(host.client, { workflowQueue: host.settings.workflowQueue });
  const hold = await Hold.at(host.settings.dataFolder, ['2:3']);
  const config = host.config({ epochs: 5, parameters: { batches: 6, batch_seconds: 0.01, ...hold.parameters } });
  const origin = { kind: 'study', id: 's-1', trial: '7', ofALaterVersion: { is: 'news' } };
  const run = await host.start(config, { origin });
  await hold.reached('2:3');
  expect((await run.view()).origin).toEqual(origin);
  const folder = join(host.settings.dataFolder, 'runs', run.id);
  expect(await readJson(join(folder, 'run.json'))).toMatchObject({ origin });

  await expect(run.update('pause', { by: 'nobody' })).rejects.toThrow();
  await expect(run.update('pause', { ...asked('long'), more: 'm'.repeat(2_000) })).rejects.toThrow();
  await client.pause(run.id, asked('pause-1'));
  await hold.release('2:3');
  await run.until('is paused', ({ detail }) => detail === 'training.paused');
  await client.resume(run.id, asked('resume-1'));
  await run.until('trains', ({ detail }) => detail === 'training.epoch');
  const why = { ...asked('stop-1'), why: 'no progress', ofALaterVersion: 1 };
  await client.stop(run.id, 'batch', why);
  // The same request again is that request: no step further.
  await client.stop(run.id, 'batch', why);
  const receipt = await run.result();
  expect(receipt).toMatchObject({ outcome: 'stopped', origin, cause: { kind: 'stop', mode: 'batch', asked: why } });
  const told = (await run.view()).events.filter(({ message }) => message.startsWith('stop ('));
  expect(told).toHaveLength(1);
  expect(await readJson(join(receipt.outputFolder ?? '', 'receipt.json'))).toEqual(receipt);
  const lines = (await readFile(join(receipt.outputFolder ?? '', 'events.jsonl'), 'utf8')).trim().split('\n');
  const events = lines.map((line) => observedEventSchema.parse(JSON.parse(line)));
  expect(events.flatMap((event) => (event.kind === 'held' ? [event.asked?.requestId] : []))).toEqual([
    'pause-1',
    'resume-1',
  ]);
});
