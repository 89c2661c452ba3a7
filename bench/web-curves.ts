/** A hundred thousand points: how soon they are drawn, and how smooth they are under the pointer. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { manyEpochs } from '../test/web/many-epochs.ts';
import { Stage } from '../test/web/stage.ts';
import type { BenchResult } from './result.ts';
import { median, percentile, rounded } from './statistics.ts';

const sizes = [1_000, 100_000];

export async function webCurves(): Promise<BenchResult> {
  const stage = await Stage.start();
  try {
    const rows: BenchResult['rows'] = [];
    for (const size of sizes) {
      const run = await stage.train({ run: `epochs-${size}`, trainer: 'counter', epochs: 1 });
      await stage.inDetail(run, 'stopped');
      const { receipt } = (await stage.details(run)).view ?? {};
      await writeFile(join(receipt?.outputFolder ?? '', 'metrics.jsonl'), manyEpochs(size));
      const page = await stage.page();
      const asked = Date.now();
      await page.goto(`/runs/${run}?tab=curves`, { waitUntil: 'commit' });
      const plot = page.getByRole('img', { name: /train_loss is now/ });
      await plot.locator('canvas').waitFor({ timeout: 120_000 });
      const drawn = Date.now() - asked;
      const box = await plot.locator('.u-over').boundingBox();
      if (!box) throw new Error('the plot has no place on the page');
      await page.evaluate(`
        globalThis.frames = [];
        let last = performance.now();
        const tick = (now) => { globalThis.frames.push(now - last); last = now; requestAnimationFrame(tick); };
        requestAnimationFrame(tick);`);
      for (let turn = 0; turn < 3; turn++) {
        await page.mouse.move(box.x + 10, box.y + 80);
        await page.mouse.move(box.x + box.width - 10, box.y + 80, { steps: 60 });
      }
      const frames = z.array(z.number()).parse(await page.evaluate('globalThis.frames'));
      rows.push([size, drawn, rounded(median(frames), 0), rounded(percentile(frames, 0.95), 0)]);
      await page.context().close();
    }
    return {
      title: 'Curves of very long runs',
      about:
        'Epochs of four metrics each. From the navigation until the curves are drawn, everything read from the store; then the frames of the browser while the pointer moves over them.',
      columns: ['epochs', 'drawn after (ms)', 'frame, median (ms)', 'frame, p95 (ms)'],
      rows,
    };
  } finally {
    await stage.stop();
  }
}
