/** How soon a batch that the trainer has done is on the page. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { Stage } from '../test/web/stage.ts';
import type { BenchResult } from './result.ts';
import { readStamps } from './stamps.ts';
import { percentile, rounded } from './statistics.ts';

const batchSeconds = 0.05;
const epochs = 3;
const batches = 250;

/** In the page: notes what the bar of the epoch says, and when that was drawn. */
const noting = `
  globalThis.seen = [];
  let last = '';
  const look = () => {
    const card = document.querySelector('[data-testid=progress]');
    const told = /Epoch (\\d+) batch ([\\d,]+) of/.exec(card ? card.textContent : '');
    if (told && told[0] !== last) {
      last = told[0];
      globalThis.seen.push([Number(told[1]), Number(told[2].replace(',', '')), Date.now()]);
    }
    requestAnimationFrame(look);
  };
  look();`;

export async function webProgress(): Promise<BenchResult> {
  const stage = await Stage.start();
  // Where its trainer may write.
  await mkdir(stage.dataSets, { recursive: true });
  try {
    const stamps = join(stage.dataSets, 'stamps');
    const parameters = { batches, batch_seconds: batchSeconds, validation_batches: 0, stamps };
    const run = await stage.train({ run: 'watched', trainer: 'counter', epochs, parameters });
    await stage.inDetail(run, 'training.epoch');
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.getByTestId('progress').waitFor();
    await page.evaluate(noting);
    const began = Date.now();
    await stage.inDetail(run, 'stopped');
    await delay(1000);
    const seen = z.array(z.tuple([z.number(), z.number(), z.number()])).parse(await page.evaluate('globalThis.seen'));
    const ages: number[] = [];
    for (const { batch: place, at } of await readStamps(stamps)) {
      const [epoch, batch] = place.split(':').map(Number);
      // A batch is on the page when it, or a later one of its epoch, is. The last ones give way to the next epoch.
      const shown = seen.find(([inEpoch, inBatch]) => inEpoch === epoch && inBatch >= (batch ?? 0));
      if (shown && at > began) ages.push(shown[2] - at);
    }
    if (ages.length < 200) throw new Error(`only ${ages.length} batches were seen`);
    return {
      title: 'From the trainer to the page',
      about: `From the end of a batch in the trainer's process until the page has drawn it or a later one; batches take ${batchSeconds * 1000} ms.`,
      columns: ['batches', 'p50 (ms)', 'p95 (ms)', 'max (ms)', 'target'],
      rows: [
        [
          ages.length,
          rounded(percentile(ages, 0.5), 0),
          rounded(percentile(ages, 0.95), 0),
          rounded(Math.max(...ages), 0),
          'p95 ≤ 1000 ms',
        ],
      ],
    };
  } finally {
    await stage.stop();
  }
}
