/** A run of thousands of tiny epochs: its histories stay short, its payloads small, the worker's memory flat. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Calls } from '../../client/calls.ts';
import { describeRun } from '../../client/run-pages.ts';
import { TestHost } from '../support/test-host.ts';

const epochs = 2_000;
/** What Temporal and this project allow. */
const mostEvents = 10_000;
const mostPayloadBytes = 512 * 1024;

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start();
});
afterAll(() => host?.stop());

it(`trains ${epochs} epochs over several workflow runs, each epoch once`, { timeout: 900_000 }, async () => {
  const memory: number[] = [];
  const sampling = setInterval(() => {
    globalThis.gc?.();
    memory.push(process.memoryUsage().rss);
  }, 1_000);
  const run = await host.start(host.config({ epochs, parameters: { batches: 1, validation_batches: 0 } }));
  const receipt = await run.result();
  clearInterval(sampling);
  expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: epochs }, batches: { trained: epochs } });
  const rows = (await readFile(join(receipt.outputFolder as string, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  expect(rows.map((row) => JSON.parse(row).epoch)).toEqual(Array.from({ length: epochs }, (_, index) => index + 1));

  // It is as old as its first workflow run, not as the newest.
  const { summary } = await describeRun(new Calls(host.client), run.id);
  expect(summary).toMatchObject({ standing: 'completed', createdAt: summary.startedAt });
  expect(Date.parse(summary.startedAt ?? '')).toBeLessThan((await run.handle.describe()).startTime.getTime());
  expect(Math.abs(Date.parse(summary.startedAt ?? '') - Date.parse(receipt.startedAt as string))).toBeLessThan(1_000);

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
