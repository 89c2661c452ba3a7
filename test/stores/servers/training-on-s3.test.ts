/** Runs on hosts that share nothing but a store on S3: one of them is lost, and the other resumes from there. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { copyFiles } from '../../../client/copied-files.ts';
import { TrainingClient } from '../../../client/training-client.ts';
import { poolControlQueue } from '../../../contracts/queues.ts';
import { receiptSchema } from '../../../contracts/receipt.ts';
import { aboutLink, linkRunFileSchema } from '../../../contracts/run-files.ts';
import { newAnswerKey, sealedTextSchema } from '../../../contracts/sealed-text.ts';
import { readText } from '../../../stores/artifact-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { signalGroup } from '../../../worker/process-groups.ts';
import { FaultHosts } from '../../faults/fault-host.ts';
import type { TestHost } from '../../support/test-host.ts';
import { TestServer } from '../../support/test-server.ts';
import type { Seen } from './fault-proxy.ts';
import { hasS3, s3, s3Server, testBucket } from './s3-stage.ts';
import { sha256 } from './store-contract.ts';

/** `fetch` has its own mind of how a browser asks. */
async function ask(address: string, headers: Record<string, string> = {}) {
  const sent = request(address, { headers });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return { status: answer.statusCode, headers: answer.headers };
}

describe.skipIf(!hasS3)('a run whose store is on S3', () => {
  if (hasS3) s3.hooks();
  let hosts: FaultHosts;
  let address: string;
  beforeEach(async () => {
    address = `s3://${testBucket}/${randomUUID()}`;
    hosts = await FaultHosts.open(inject('temporalAddress'), { store: address });
  });
  afterEach(() => hosts.close());

  const worker = () =>
    hosts.worker({ env: { ...s3.environment(s3.proxy.endpoint), EPOCHAL_LINK_ENDPOINT: s3.proxy.endpoint } });

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
    for (const text of texts) expect(text).not.toContain(s3Server().secretKey);

    // Another run continues from what it left there, by its id.
    const next = await hosts.start({ trainer: 'digits', epochs: 5, continueFrom: { run: run.id } });
    const continued = (await next.closed()).receipt;
    expect(continued?.outcome).toBe('completed');
    expect(continued?.checkpoints.at(-1)?.epoch).toBe(5);
  });

  it('through a store that throttles and breaks off: it completes, and nothing is wasted', async () => {
    const only = await worker();
    // Counted, and not drawn: of the four tries that the check of a configuration has, two fail at most.
    const every = (count: number, method?: string) => {
      let seen = 0;
      return (one: Seen) => (method === undefined || one.method === method) && ++seen % count === 0;
    };
    s3.proxy.break(every(5, 'PUT'), { kind: 'answer', status: 503, headers: { 'retry-after': '1' }, body: '' }, 20);
    s3.proxy.break(every(10), { kind: 'loseAnswer' }, 20);
    s3.proxy.break(every(5, 'GET'), { kind: 'cutAnswer', after: 10 }, 20);
    const run = await hosts.start({ epochs: 4 });
    const { receipt } = await run.closed();
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { wasted: 0 }, restarts: [] });
    expect(receipt?.checkpoints.length).toBeGreaterThan(0);
    expect(s3.proxy.seen.filter(({ status }) => status === 503)).not.toEqual([]);
    expect(only.isAlive).toBe(true);
  });

  it('is downloaded straight from there, by the command and by a page; nobody else can read the link', async () => {
    const only = await worker();
    const run = await hosts.start({ epochs: 1, parameters: { checkpoint_bytes: 3_000_000 } });
    const { receipt } = await run.closed();
    const file = receipt?.checkpoints.at(-1)?.files.find(({ size }) => size > 2_000_000);
    if (!file) throw new Error('no large file was published');
    const client = new TrainingClient(hosts.client);
    const linked = () => s3.proxy.seen.filter(({ url }) => url.includes(`${file.path}?X-Amz-Algorithm`));
    s3.proxy.heal();
    await copyFiles(client, run.id, file.path, join(s3.folder, 'copy'));
    expect(sha256(await readFile(join(s3.folder, 'copy')))).toBe(file.sha256);
    expect(linked().map(({ received }) => received)).toEqual([file.size]);

    const settings = { dataFolder: only.dataFolder, workflowQueue: hosts.workflowQueue, pool: hosts.pool };
    const server = await TestServer.start({ settings: settings as TestHost['settings'] });
    try {
      const at = `${server.address}/api/runs/${run.id}/file?path=${encodeURIComponent(file.path)}`;
      const navigates = { 'sec-fetch-mode': 'navigate' };
      const sent = await ask(`${at}&download=true`, navigates);
      expect(sent.status).toBe(302);
      const asLink = { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' };
      expect((await ask(`${at}&download=true`, asLink)).status).toBe(302);
      expect(sent.headers['cache-control']).toBe('no-store');
      const saved = await fetch(sent.headers.location ?? '');
      expect(saved.headers.get('content-disposition')).toBe(`attachment; filename=${file.path.split('/').at(-1)}`);
      expect(sha256(Buffer.from(await saved.arrayBuffer()))).toBe(file.sha256);
      // What is shown in the page, programs, and parts come from here.
      const own = [
        await ask(at, navigates),
        await ask(`${at}&download=true`),
        await ask(`${at}&download=true`, { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }),
        await ask(`${at}&download=true`, { ...navigates, authorization: 'Bearer token' }),
        await ask(`${at}&download=true`, { ...navigates, range: 'bytes=0-9' }),
      ];
      expect(own.map(({ status }) => status)).toEqual([200, 200, 200, 200, 206]);
    } finally {
      await server.stop();
    }

    // What a worker answers says nothing to whoever reads it on its way.
    const place = { source: 'store', run: run.id, project: 'default', store: address };
    const answers: string[] = [];
    for (const store of [address, `s3://${testBucket}/of-others`]) {
      const key = await newAnswerKey();
      const input = { place: { ...place, store }, path: file.path, key: key.publicKey };
      const answer = await hosts.client.activity.execute('linkRunFile', {
        id: `link-${randomUUID()}`,
        taskQueue: poolControlQueue(hosts.pool),
        args: [input],
        startToCloseTimeout: '1 minute',
      });
      answers.push(JSON.stringify(answer));
      if (answer !== null)
        expect(await key.open(sealedTextSchema.parse(answer), aboutLink(linkRunFileSchema.parse(input)))).toContain(
          'X-Amz-Signature',
        );
    }
    expect(answers[0]).not.toMatch(/X-Amz|http/);
    expect(answers[1]).toBe('null');
  });

  it('that this worker may not open is refused in a sentence before anything starts', async () => {
    await worker();
    const run = await hosts.start({ store: `s3://${testBucket}-of-others/x` });
    const told = `must be below ${address} (EPOCHAL_ALLOWED_STORES of the worker)`;
    const ended = await run.handle.result().catch((error: unknown) => error);
    expect(ended).toMatchObject({ cause: { type: 'Invalid', message: expect.stringContaining(told) } });
    expect(s3.proxy.seen.filter(({ url }) => url.includes('-of-others'))).toEqual([]);
  });
});
