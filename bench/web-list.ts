/** Ten thousand runs, listed a page at a time. They are made without training them: a list asks Temporal alone. */

import { Client, Connection } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import type { RunsPage } from '../contracts/http-answers.ts';
import { addressOf } from '../contracts/http-api.ts';
import { type Outcome, outcomeSchema } from '../contracts/receipt.ts';
import { trainingRunType } from '../contracts/run-messages.ts';
import { attributes } from '../contracts/search-attributes.ts';
import { Stage } from '../test/web/stage.ts';
import type { BenchResult } from './result.ts';
import { percentile, rounded } from './statistics.ts';

const count = 10_000;
/** Of them still open. */
const open = 500;
const atOnce = 40;
const pageSize = 50;

type Query = Parameters<typeof addressOf<'runs'>>[2];

export async function webList(): Promise<BenchResult> {
  const stage = await Stage.start({ slots: 0 });
  try {
    const began = Date.now();
    await makeRuns(stage.temporal.address);
    await listsAll(stage);
    process.stderr.write(`  ${count} runs made in ${Math.round((Date.now() - began) / 1000)} s\n`);
    const lists: [string, Query][] = [
      ['all, in their own order', {}],
      ['filtered by trainer and outcome', { trainer: 'yolov8', outcome: 'completed' }],
      ['filtered by the beginning of the name', { text: 'run-1' }],
      ['sorted by the best metric', { sort: '-bestMetric' }],
      ['sorted by name', { sort: 'run' }],
      ['searched by a word and a comparison', { search: 'run-0 best > 0.5 -state:failed', sort: '-bestMetric' }],
    ];
    const rows: BenchResult['rows'] = [];
    for (const [title, query] of lists) {
      const times = await pagesOf(stage, query);
      rows.push([title, times.length, ...figures(times), 'p95 ≤ 300 ms']);
    }
    rows.push(['in the browser: next page', ...(await inTheBrowser(stage)), '']);
    return {
      title: 'Ten thousand runs, listed',
      about: `Milliseconds a page of ${pageSize} over HTTP, each list from its first page to its last; then in the browser, from the press on “Next page” until it is drawn. ${open} of the runs are open.`,
      columns: ['list', 'pages', 'p50 (ms)', 'p95 (ms)', 'max (ms)', 'target'],
      rows,
    };
  } finally {
    await stage.stop();
  }
}

const figures = (times: number[]) =>
  [percentile(times, 0.5), percentile(times, 0.95), Math.max(...times)].map((time) => rounded(time, 0));

async function makeRuns(address: string): Promise<void> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const trainers = ['digits', 'yolov8', 'mmdetection', 'lightning'];
  const make = async (index: number) => {
    const outcome: Outcome = outcomeSchema.options[index % 3] ?? 'completed';
    const isOpen = index % (count / open) === 0;
    const handle = await client.workflow.start(trainingRunType, {
      workflowId: `run-${String(index).padStart(5, '0')}`,
      // Nobody serves it.
      taskQueue: 'nobody',
      args: [],
      typedSearchAttributes: new TypedSearchAttributes([
        { key: attributes.state, value: isOpen ? 'training' : 'stopped' },
        { key: attributes.trainer, value: trainers[index % trainers.length] ?? 'digits' },
        { key: attributes.project, value: `project-${index % 7}` },
        ...(isOpen ? [] : [{ key: attributes.outcome, value: outcome }]),
        {
          key: attributes.bestMetric,
          value: ((index * 7919) % count) / count,
        },
      ]),
    });
    if (!isOpen) await handle.terminate();
  };
  const queue = Array.from({ length: count }, (_, index) => index).values();
  const work = async () => {
    for (const index of queue) await make(index);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await connection.close();
}

/** Waits until visibility has them all, as they will be. */
async function listsAll(stage: Stage): Promise<void> {
  for (;;) {
    const stopped = await stage.ask<RunsPage>(addressOf('runs', undefined, { limit: 1, state: 'stopped' }));
    const all = await stage.ask<RunsPage>(addressOf('runs', undefined, { limit: 1 }));
    if (all.total === count && stopped.total === count - open) return;
  }
}

async function pagesOf(stage: Stage, query: Query): Promise<number[]> {
  const times: number[] = [];
  let cursor: string | undefined;
  do {
    const asked = performance.now();
    const page: RunsPage = await stage.ask(addressOf('runs', undefined, { ...query, limit: pageSize, cursor }));
    times.push(performance.now() - asked);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return times;
}

async function inTheBrowser(stage: Stage): Promise<(number | string)[]> {
  const page = await stage.page();
  await page.goto('/');
  await page.locator('[data-run]').first().waitFor();
  const times: number[] = [];
  for (let turned = 1; turned <= 20; turned++) {
    times.push(
      Number(
        await page.evaluate(`
        new Promise((resolve) => {
          const began = performance.now();
          [...document.querySelectorAll('button')].find((button) => button.textContent === 'Next page').click();
          const first = () => document.querySelector('[data-run]')?.dataset.run;
          const before = first();
          const look = () => (first() !== before ? resolve(performance.now() - began) : requestAnimationFrame(look));
          look();
        })`),
      ),
    );
  }
  return [times.length, ...figures(times)];
}
