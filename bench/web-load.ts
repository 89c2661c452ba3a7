/** How soon a page of the web can be used, in a browser that has never seen it. */
import { Stage } from '../test/web/stage.ts';
import type { BenchResult } from './result.ts';
import { median, percentile, rounded } from './statistics.ts';

const loads = 12;

/** What stands on each page once it is there for use. */
const pages = {
  '/': '[data-run=done]',
  '/new': '[data-testid=check]',
  '/runs/done': '[data-testid=outcome]',
  '/hosts': '[data-host]',
};

/** In the page: when what is looked for is drawn, and the main thread then idle, in ms since the navigation began. */
const measuring = (selector: string) => `
  new Promise((resolve) => {
    const look = () => {
      if (!document.querySelector(${JSON.stringify(selector)})) return requestAnimationFrame(look);
      requestIdleCallback(() => resolve(performance.now()));
    };
    look();
  })`;

export async function webLoad(): Promise<BenchResult> {
  const stage = await Stage.start();
  try {
    const run = await stage.train({ run: 'done', trainer: 'digits', epochs: 5 });
    await stage.inDetail(run, 'stopped');
    const rows: BenchResult['rows'] = [];
    for (const [path, selector] of Object.entries(pages)) {
      const times: number[] = [];
      for (let load = 0; load < loads; load++) {
        const page = await stage.page();
        await page.goto(path, { waitUntil: 'commit' });
        times.push(Number(await page.evaluate(measuring(selector))));
        await page.context().close();
      }
      rows.push([path, loads, rounded(median(times), 0), rounded(percentile(times, 0.95), 0)]);
    }
    return {
      title: 'A page of the web, loaded for the first time',
      about:
        'From the navigation until its content is drawn and the main thread is idle, with an empty cache each time; Chromium, server, worker and Temporal on the same cores.',
      columns: ['page', 'loads', 'interactive, median (ms)', 'p95 (ms)'],
      rows,
    };
  } finally {
    await stage.stop();
  }
}
