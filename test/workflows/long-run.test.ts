/** A run of more than a thousand tiny epochs: its histories stay short, its payloads small, the worker's memory flat. */

import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Calls } from '../../client/calls.ts';
import { describeRun } from '../../client/run-pages.ts';
import { eventsFile, type ObservedEvent } from '../../contracts/observed-events.ts';
import type { Receipt } from '../../contracts/receipt.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';
import { ok, WebhookReceiver } from '../support/webhook-receiver.ts';

/** Enough for a few renewals. */
const epochs = 1_400;
const origin = { kind: 'schedule', id: 'nightly' };
/** What Temporal and this project allow. */
const mostEvents = 10_000;
const mostPayloadBytes = 512 * 1024;

let host: TestHost;
let receiver: WebhookReceiver;
/** The webhook is unavailable until the run has gone on in a second workflow run; then so slow that one more begins during a delivery. */
let answer = (response: ServerResponse): unknown => response.writeHead(503).end();
const slowly = (response: ServerResponse) => setTimeout(() => ok(response), 500);
beforeAll(async () => {
  receiver = await WebhookReceiver.start((_, response) => answer(response));
  host = await TestHost.start({ settings: receiver.settings() });
});
afterAll(async () => {
  await host?.stop();
  receiver?.stop();
});

it(`trains ${epochs} epochs over several workflow runs, each epoch once`, { timeout: 900_000 }, async () => {
  const memory: number[] = [];
  const sampling = setInterval(() => {
    globalThis.gc?.();
    memory.push(process.memoryUsage().rss);
  }, 1_000);
  const run = await host.start(host.config({ epochs, parameters: { batches: 1, validation_batches: 0 } }), { origin });
  const renewed = async () => {
    const { runId } = await run.handle.describe();
    await until('goes on in another workflow run', async () => (await run.handle.describe()).runId !== runId);
  };
  await renewed();
  answer = slowly;
  await run.update('pause');
  await run.until('is paused', ({ detail }) => detail === 'training.paused');
  await run.update('resume');
  await run.until('trains on', ({ position }) => position.epoch > epochs * 0.4);
  await renewed();
  answer = ok;
  const receipt = await run.result();
  clearInterval(sampling);
  expect(receipt).toMatchObject({
    origin,
    outcome: 'completed',
    epochs: { trained: epochs },
    batches: { trained: epochs },
    // Which the workflow run before had begun to count.
    sessions: [{ generation: 1 }, { generation: 2 }],
  });
  const rows = (await readFile(join(receipt.outputFolder as string, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  expect(rows.map((row) => JSON.parse(row).epoch)).toEqual(Array.from({ length: epochs }, (_, index) => index + 1));

  // It is as old as its first workflow run, not as the newest.
  const { summary } = await describeRun(new Calls(host.client), run.id);
  expect(summary).toMatchObject({ standing: 'completed', createdAt: summary.startedAt });
  expect(Date.parse(summary.startedAt ?? '')).toBeLessThan((await run.handle.describe()).startTime.getTime());
  expect(Math.abs(Date.parse(summary.startedAt ?? '') - Date.parse(receipt.startedAt as string))).toBeLessThan(1_000);

  await toldOfAll(receipt);

  const histories = await historiesOf(run.id);
  const events = histories.map(({ length }) => length);
  const largest = Math.max(...histories.flat());
  process.stdout.write(`long run: ${events.join(' + ')} events, largest event ${largest} bytes\n`);
  expect(events.length).toBeGreaterThan(1);
  for (const count of events) expect(count).toBeLessThan(mostEvents);
  expect(largest).toBeLessThan(mostPayloadBytes);

  // The second half needs no more than the first, give or take what a garbage collector leaves lying about.
  const half = Math.floor(memory.length / 2);
  const [first, second] = [Math.max(...memory.slice(0, half)), Math.max(...memory.slice(half))];
  process.stdout.write(`long run: worker memory ${mebibytes(first)} then ${mebibytes(second)} MiB\n`);
  expect(second).toBeLessThan(first * 1.25);
});

/** Renewals carry what observers have not been told, and its numbers: nothing is told twice under two ids, and nothing is lost uncounted. */
async function toldOfAll({ outputFolder }: Receipt): Promise<void> {
  const { told, problems } = receiver;
  expect(problems).toEqual([]);
  expect(told.map(({ seq }) => seq)).toEqual([...new Set(told.map(({ seq }) => seq))].sort((a, b) => a - b));
  expect(new Set(told.map(({ id }) => id.split('/')[0])).size).toBeGreaterThan(1);
  const epochsOf = (event: ObservedEvent) =>
    event.kind === 'gap' ? (event.data.events.epoch ?? 0) : event.kind === 'epoch' ? 1 : 0;
  // Each epoch is told or counted in a gap, and none is both, whatever a delivery had told when the run was renewed.
  expect(told.reduce((sum, event) => sum + epochsOf(event), 0)).toBe(epochs);
  expect(told.at(-1)?.kind).toBe('ended');
  const text = await readFile(join(outputFolder ?? '', eventsFile), 'utf8');
  const written = text.trim().split('\n');
  expect(written.map((line) => JSON.parse(line))).toEqual(
    told.filter(({ kind }) => ['state', 'held', 'ended'].includes(kind)),
  );
}

const mebibytes = (bytes: number) => Math.round(bytes / 1024 / 1024);

/** Bytes of every event, for every workflow run of this id. */
async function historiesOf(workflowId: string): Promise<number[][]> {
  const sizes: number[][] = [];
  for await (const { runId } of host.client.workflow.list({ query: `WorkflowId = "${workflowId}"` })) {
    const { events } = await host.client.workflow.getHandle(workflowId, runId).fetchHistory();
    sizes.push((events ?? []).map((event) => JSON.stringify(event).length));
  }
  return sizes;
}
