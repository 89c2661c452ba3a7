/** Runs on hosts that share nothing but a store on S3: one of them is lost, and the other resumes from there. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { receiptSchema } from '../../../contracts/receipt.ts';
import { readText } from '../../../stores/artifact-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { signalGroup } from '../../../worker/process-groups.ts';
import { FaultHosts } from '../../faults/fault-host.ts';
import * as s3 from './s3-stage.ts';

describe.skipIf(!s3.hasS3)('a run whose store is on S3', () => {
  if (s3.hasS3) s3.onS3();
  let hosts: FaultHosts;
  let address: string;
  beforeEach(async () => {
    address = `s3://${s3.testBucket}/${randomUUID()}`;
    hosts = await FaultHosts.open(inject('temporalAddress'), { store: address });
  });
  afterEach(() => hosts.close());

  const worker = () => hosts.worker({ env: s3.awsEnvironment() });

  it('trains digits, loses its host with all that is on its disk, and completes on another one', async () => {
    const first = await worker();
    const run = await hosts.start({
      trainer: 'digits',
      epochs: 4,
      parameters: { batch_delay_seconds: 0.05 },
      deadlines: { heartbeatSeconds: 10 },
    });
    const { position } = await run.until('has trained an epoch', (view) => view.position.epoch > 0);
    // It is not done before it has stored that.
    const trainer = await run.trainer(first);
    signalGroup(trainer.pid, 'SIGSTOP');
    await run.until('has an epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
    await first.kill();
    signalGroup(trainer.pid, 'SIGKILL');
    await run.ends(trainer);
    await rm(first.dataFolder, { recursive: true, force: true });
    const second = await worker();
    const { how, receipt } = await run.closed();
    expect(how).toBe('completed');
    expect(receipt).toMatchObject({ outcome: 'completed', outputFolder: `${address}/experiments/default/${run.id}` });
    expect(receipt?.restarts.length).toBeGreaterThan(0);
    expect(receipt?.sessions?.at(-1)?.host).toBe(second.host);
    expect(position.epoch).toBeGreaterThan(0);

    // All of it is there, and as the receipt says.
    const store = openStore(address);
    const output = `experiments/default/${run.id}`;
    const written = receiptSchema.parse(JSON.parse((await readText(store, `${output}/receipt.json`)) ?? ''));
    const files = [...written.checkpoints.flatMap((checkpoint) => checkpoint.files), ...written.files];
    expect(files.length).toBeGreaterThan(4);
    for (const file of files)
      expect(await store.verify(`${output}/${file.path}`)).toEqual({ ...file, path: `${output}/${file.path}` });
    const rows = (await readText(store, `${output}/metrics.jsonl`))?.trim().split('\n') ?? [];
    expect(rows).toHaveLength(4);
    // Nobody learns from it how the store is opened.
    const texts = [JSON.stringify(receipt), JSON.stringify(await run.handle.fetchHistory())];
    for (const text of texts) expect(text).not.toContain(s3.server().secretKey);

    // Another run continues from what it left there, by its id.
    const next = await hosts.start({ trainer: 'digits', epochs: 5, continueFrom: { run: run.id } });
    const continued = (await next.closed()).receipt;
    expect(continued?.outcome).toBe('completed');
    expect(continued?.checkpoints.at(-1)?.epoch).toBe(5);
  });

  it('through a store that throttles and breaks off: it completes, and nothing is wasted', async () => {
    const only = await worker();
    s3.proxy.break(
      ({ method }) => method === 'PUT' && Math.random() < 0.2,
      { kind: 'answer', status: 503, headers: { 'retry-after': '1' }, body: '' },
      20,
    );
    s3.proxy.break(() => Math.random() < 0.1, { kind: 'loseAnswer' }, 20);
    s3.proxy.break(({ method }) => method === 'GET' && Math.random() < 0.2, { kind: 'cutAnswer', after: 10 }, 20);
    const run = await hosts.start({ epochs: 4 });
    const { receipt } = await run.closed();
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { wasted: 0 }, restarts: [] });
    expect(receipt?.checkpoints.length).toBeGreaterThan(0);
    expect(only.isAlive).toBe(true);
  });

  it('that this worker may not open is refused in a sentence before anything starts', async () => {
    await worker();
    const run = await hosts.start({ store: `s3://${s3.testBucket}-of-others/x` });
    const told = `must be below ${address} (EPOCHAL_ALLOWED_STORES of the worker)`;
    const ended = await run.handle.result().catch((error: unknown) => error);
    expect(ended).toMatchObject({ cause: { type: 'Invalid', message: expect.stringContaining(told) } });
    expect(s3.proxy.seen.filter(({ url }) => url.includes('-of-others'))).toEqual([]);
  });
});
