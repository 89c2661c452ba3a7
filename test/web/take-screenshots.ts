/**
 * Images of the pages, light and dark, of real runs: `npx tsx test/web/take-screenshots.ts` takes those of the README and
 * the docs, into docs/images; with a folder as its argument whole pages, and those of a phone, for whoever changes one.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { ensureEnvironment } from '../../worker/python-environments.ts';
import { until } from '../support/until.ts';
import { makeShapesDataSet } from './shapes-data-set.ts';
import { Stage } from './stage.ts';

const given = process.argv[2];
const folder = given ?? fileURLToPath(new URL('../../docs/images', import.meta.url));
await mkdir(folder, { recursive: true });

/** For whoever changes these pages; the docs do without them. */
const onlyWhole = new Set([
  'run-log',
  'run-files',
  'run-stopped',
  'run-failed',
  'run-draft',
  'new-safety',
  'new-where',
]);

/** What readers would have, rather than this machine's name and a folder for tests. */
const shownFolder = '/srv/epochal';
const dataFolder = join(shownFolder, 'data');
await mkdir(dataFolder, { recursive: true });
await writeFile(join(dataFolder, 'host.json'), JSON.stringify({ host: 'gpu-1' }));
const stage = await Stage.start({
  slots: 2,
  dataFolder,
  store: join(shownFolder, 'store'),
  dataSets: join(shownFolder, 'data-sets'),
});
try {
  const dataSet = join(stage.dataSets, 'shapes');
  await makeShapesDataSet(dataSet);
  await start('digits-wide', { epochs: 14, parameters: { hidden_layers: [128, 64], learning_rate: 0.003 } });
  await start('digits-slow-rate', { epochs: 14, parameters: { hidden_layers: [64], learning_rate: 0.0006 } });
  await over('digits-wide');
  await over('digits-slow-rate');
  await start('digits-stopped', { epochs: 400, parameters: { batch_delay_seconds: 0.01 } });
  await stage.atEpoch('digits-stopped', 3);
  await stage.ask('/api/runs/digits-stopped/stop', { mode: 'batch' });
  await over('digits-stopped');
  await start('digits-broken', { epochs: 10 }, 'counter', { fail_at: '3:2', fail_kind: 'error', fail_times: 0 });
  await over('digits-broken');
  const talkative = { print_noise: true, batches: 40, batch_seconds: 0.01, draw: true };
  await start('talkative', { epochs: 6 }, 'counter', talkative);
  await over('talkative');
  await stage.ask('/api/runs', { config: { run: 'later', trainer: 'digits', epochs: 30 }, draft: true });
  await start('digits-live', { epochs: 900, parameters: { batch_delay_seconds: 0.03, hidden_layers: [256, 128] } });
  await stage.atEpoch('digits-live', 4);

  for (const scheme of ['light', 'dark'] as const) {
    const page = await stage.page({ colorScheme: scheme });
    await takeAll(page, scheme);
    await page.context().close();
  }
  if (given) {
    const phone = await stage.page({ colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true });
    await takeAll(phone, 'phone');
  }
  await reduceColors();
  process.stdout.write(stage.consoleErrors.map((line) => `${line}\n`).join(''));
} finally {
  await stage.stop();
  await rm(shownFolder, { recursive: true, force: true });
}

async function takeAll(page: Page, scheme: string): Promise<void> {
  const take = async (name: string, path: string | null, ready: () => Promise<unknown>, fullPage = false) => {
    const file = `${name}-${scheme}`;
    if (!given && onlyWhole.has(name)) return;
    if (path) await page.goto(path);
    await ready();
    await page.getByRole('status', { name: 'Loading' }).first().waitFor({ state: 'detached' });
    // Colours of the text in editors, and what moves into its place.
    await page.waitForTimeout(1_500);
    await page.screenshot({ path: join(folder, `${file}.png`), fullPage: fullPage && given !== undefined });
  };
  const heading = (name: string | RegExp) => () => page.getByRole('heading', { name }).first().waitFor();
  const plots = (count: number) => () =>
    page
      .locator('.plot canvas')
      .nth(count - 1)
      .waitFor();
  await take('runs', '/', () => page.locator('[data-run="digits-live"] [role=progressbar]').waitFor());
  await take('run', '/runs/digits-live', () => page.locator('.plot canvas').first().waitFor(), true);
  await take('stop', '/runs/digits-live', async () => {
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog').waitFor();
  });
  await take('run-curves', '/runs/digits-live?tab=curves', plots(4), true);
  await take(
    'run-files',
    '/runs/talkative?tab=files&folder=artifacts%2Fplots',
    async () => {
      await page.locator('.image img').first().waitFor();
      const arrived = "[...document.querySelectorAll('.image img')].every((image) => image.naturalWidth > 0)";
      await until('the images are there', async () => (await page.evaluate(arrived)) === true);
    },
    true,
  );
  for (const tab of ['checkpoints', 'configuration'])
    await take(`run-${tab}`, `/runs/digits-live?tab=${tab}`, heading('digits-live'), true);
  await take('run-log', '/runs/talkative?tab=log', () => page.locator('.log').waitFor(), true);
  await take('run-stopped', '/runs/digits-stopped', heading('digits-stopped'), true);
  await take('run-failed', '/runs/digits-broken', heading('digits-broken'), true);
  await take('run-draft', '/runs/later', heading('later'), true);
  await take('receipt', '/runs/digits-wide?tab=receipt', () => page.getByTestId('receipt').waitFor(), true);
  await take(
    'compare',
    '/compare?runs=digits-wide,digits-slow-rate',
    () =>
      page
        .getByRole('img', { name: /digits-wide is now.*digits-slow-rate is now/ })
        .first()
        .waitFor(),
    true,
  );
  await take('hosts', '/hosts', () => page.locator('[data-host]').waitFor(), true);
  await take(
    'data',
    '/new',
    async () => {
      let arrived = 0;
      page.on('requestfinished', (request) => {
        if (request.url().includes('/image?')) arrived++;
      });
      await page.getByRole('radio', { name: /shapes/ }).click();
      await until('the images are there', () => arrived >= 12);
    },
    true,
  );
  await take('new-run', '/new?from=digits-wide', async () => {
    await page
      .getByRole('button', { name: /Parameters/ })
      .first()
      .click();
    await page.getByLabel('Learning Rate').fill('7');
    await page.getByText('must be at most 1').first().waitFor();
  });
  await take(
    'new-safety',
    null,
    () =>
      page
        .getByRole('button', { name: /Checkpoints & recovery/ })
        .first()
        .click(),
    true,
  );
  await take(
    'new-where',
    null,
    () =>
      page
        .getByRole('button', { name: /Destination/ })
        .last()
        .click(),
    true,
  );
}

/** Pages have few colours: a palette makes an image a third as large, and nobody sees it. */
async function reduceColors(): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.png')).map((name) => join(folder, name));
  const { python } = await ensureEnvironment({ requirements: ['pillow==13.0.0'] });
  const script = `
import sys
from PIL import Image
for file in sys.argv[1:]:
    image = Image.open(file)
    if image.mode != "P":
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
`;
  await promisify(execFile)(python, ['-c', script, ...files]);
}

async function start(run: string, config: object, trainer = 'digits', parameters?: object): Promise<void> {
  await stage.ask('/api/runs', {
    config: { run, trainer, project: 'demo', ...config, ...(parameters ? { parameters } : {}) },
  });
}

async function over(run: string): Promise<void> {
  await until(`${run} is over`, async () => (await stage.details(run)).summary.closedAt !== null, 180);
}
