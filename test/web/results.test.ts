/** What is there to take from a run: curves, checkpoints, files, log, and what hosts have kept. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Hold } from '../faults/hold.ts';
import { until } from '../support/until.ts';
import { manyEpochs } from './many-epochs.ts';
import { Stage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start({ slots: 2 });
}, 300_000);
afterAll(() => stage?.stop());
afterEach(async () => {
  expect(await stage.closePages()).toEqual([]);
});

const minutes = 60_000;

it(
  'compares two runs: curves over each other, and what differs',
  async () => {
    for (const [run, rate] of [
      ['compare-a', 0.001],
      ['compare-b', 0.01],
    ] as const) {
      await stage.train({
        run,
        trainer: 'digits',
        epochs: 3,
        project: 'comparing',
        parameters: { learning_rate: rate },
      });
    }
    await stage.inDetail('compare-a', 'stopped');
    await stage.inDetail('compare-b', 'stopped');
    const page = await stage.page();
    await page.goto('/?project=comparing');
    await page.getByRole('checkbox', { name: 'Compare compare-a' }).check();
    await page.getByRole('checkbox', { name: 'Compare compare-b' }).check();
    let isHeld = true;
    await page.route(/\/metrics\?/, async (route) => {
      await until('they may be read', () => !isHeld);
      await route.continue();
    });
    await page.getByRole('link', { name: 'Compare 2' }).click();
    // Until they are read, nothing is said of them.
    await page.getByRole('row', { name: /parameters.learning_rate/ }).waitFor();
    await page.getByRole('status', { name: 'Loading' }).waitFor();
    expect(await page.getByText('None of these runs has completed').count()).toBe(0);
    isHeld = false;
    await page
      .getByRole('row', { name: /parameters.learning_rate/ })
      .getByText('0.01', { exact: true })
      .waitFor();
    const plot = page.getByRole('img', { name: /val_loss of 2 runs.*compare-a is now.*compare-b is now/ });
    await plot.waitFor();
    // It stays there while new values are asked for.
    for (let asked = 0; asked < 2; asked++) await page.waitForResponse(/compare-b\/metrics/);
    expect((await plot.locator('canvas').boundingBox())?.height).toBeGreaterThan(100);
  },
  8 * minutes,
);

it(
  "shows a trainer's own pages, by epoch, and nothing of what they contain acts",
  async () => {
    const { view } = await stage.details('compare-a');
    const output = view?.receipt?.outputFolder ?? '';
    expect(view?.receipt?.files.map(({ path }) => path)).toEqual(expect.arrayContaining(['pages.json', 'pages.jsonl']));
    const page = await stage.page();
    await page.goto('/runs/compare-a');
    await page.getByRole('tab', { name: 'Pages' }).click();
    const misread = page.locator('[data-widget=misread]');
    await misread
      .getByRole('paragraph')
      .filter({ hasText: /^epoch 3$/ })
      .waitFor();
    await expect.poll(() => page.evaluate("document.querySelector('[data-widget=misread] img').naturalWidth")).toBe(8);
    await misread.getByRole('slider').press('Home');
    await misread
      .getByRole('paragraph')
      .filter({ hasText: /^epoch 1$/ })
      .waitFor();
    await page.getByText(/% of 360 are right/).waitFor();

    // Every widget with the most hostile value that the SDK passes on, and one of a newer SDK.
    const shown = JSON.parse(await readFile(new URL('../contracts/pages.json', import.meta.url), 'utf8'));
    shown.layout.children.push({ kind: 'volume', id: 'v', title: 'Voxels' });
    await writeFile(join(output, 'pages.json'), JSON.stringify(shown.layout));
    const rows = shown.rows.map(({ shows, file: _, ...row }: Record<string, unknown>) => ({ ...row, value: shows }));
    await writeFile(join(output, 'pages.jsonl'), rows.map((row: unknown) => `${JSON.stringify(row)}\n`).join(''));
    await page.reload();
    await page.getByText('cannot show the widget “volume”').waitFor();
    await page.getByText('<script>alert(1)</script>').waitFor();
    await page.locator('[data-widget=html] iframe').scrollIntoViewIfNeeded();
    await page.frameLocator('[data-widget=html] iframe').getByText(/yyy/).waitFor();
    expect(await page.getByText('This value cannot be shown').count()).toBe(0);
    expect(new URL(page.url()).pathname).toBe('/runs/compare-a');
    await page.close();
    // The frame says what it was refused, and images that the fixture names are nowhere.
    const said = /Blocked script execution|Content Security Policy|file\?path=pages/;
    expect((await stage.closePages()).filter((error) => !said.test(error))).toEqual([]);
  },
  8 * minutes,
);

it(
  'tells what happened, also what the run does not remember, and downloads a checkpoint that has the sha256 that is shown',
  async () => {
    const run = await stage.train({ run: 'to-download', trainer: 'digits', epochs: 2 });
    await stage.inDetail(run, 'stopped');
    const file = join(stage.store, 'experiments', 'default', run, 'events.jsonl');
    const events = await until('its events are in its results', () => readFile(file, 'utf8').catch(() => null));
    const [first = ''] = events.split('\n');
    const held = { kind: 'held', at: '2001-01-01T00:00:00.000Z', data: { isHeld: true } };
    await writeFile(file, `${JSON.stringify({ ...JSON.parse(first), ...held })}\n${events}`);
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    const causes = page.getByRole('list', { name: 'Time by cause' }).getByRole('listitem');
    await causes.filter({ hasText: /^Training \d/ }).waitFor();
    await page.getByText(/^Goodput \d+/).waitFor();
    const told = page.getByRole('list', { name: 'Events, newest first' }).getByRole('listitem');
    await told.filter({ hasText: 'pause' }).waitFor();
    expect(await told.last().textContent()).toContain('pause');
    expect(await told.filter({ hasText: 'uploading' }).count()).toBe(1);
    await page.getByRole('tab', { name: 'Checkpoints' }).click();
    await page.getByRole('button', { name: '3 files' }).first().click();
    const shown = await page.locator('[data-sha256="weights.npz"]').first().textContent();
    const answers: string[] = [];
    page.on('response', (response) => answers.push(`${response.status()} ${response.url()}`));
    const [download] = await Promise.all([
      page.waitForEvent('download').catch((error: unknown) => {
        throw new Error(`no download began; the server had answered ${answers.join(', ')}`, { cause: error });
      }),
      page
        .getByRole('link', { name: /Download weights.npz/ })
        .first()
        .click(),
    ]);
    const content = await readFile(await download.path());
    expect(createHash('sha256').update(content).digest('hex')).toBe(shown);
  },
  8 * minutes,
);

it(
  'tells how far a set-up is, shows files in their folders, images among them, and finds lines of the log',
  async () => {
    await mkdir(stage.dataSets, { recursive: true });
    const hold = await Hold.at(stage.dataSets, ['set_up:30']);
    const parameters = { draw: true, print_noise: true, set_up_images: 40, ...hold.parameters };
    const run = await stage.train({ run: 'with-images', trainer: 'counter', epochs: 3, parameters });
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.getByText(/Looking at images: \d+ of 40/).waitFor();
    await hold.release();
    await stage.inDetail(run, 'stopped');
    await page.getByRole('tab', { name: 'Files' }).click();
    await page.getByRole('link', { name: 'artifacts', exact: true }).click();
    await page.getByRole('link', { name: 'plots', exact: true }).click();
    const image = page.getByRole('button', { name: 'Show epoch-0002.png' });
    await image.click();
    await page.getByRole('dialog').getByRole('img', { name: 'epoch-0002.png' }).waitFor();
    await expect.poll(() => page.evaluate("document.querySelector('[role=dialog] img').naturalWidth")).toBe(64);
    await page.keyboard.press('Escape');
    // The folder is in the address: back and forth as anywhere.
    await page.goBack();
    await page.getByRole('link', { name: 'plots', exact: true }).waitFor();

    await page.getByRole('tab', { name: 'Log' }).click();
    await page.getByRole('log').getByText('printf in 3:5').waitFor();
    await page.getByRole('textbox', { name: 'Search the log' }).fill('PRINTF IN 2:');
    await page.getByText('7 lines found').waitFor();
    expect(await page.locator('.log mark').count()).toBe(7);
  },
  8 * minutes,
);

it(
  'draws a hundred thousand points, and zooms into them',
  async () => {
    const run = await stage.train({ run: 'long', trainer: 'counter', epochs: 1 });
    await stage.inDetail(run, 'stopped');
    const { receipt } = (await stage.details(run)).view ?? {};
    await writeFile(join(receipt?.outputFolder ?? '', 'metrics.jsonl'), manyEpochs(100_000));
    // As of a host with a GPU.
    const measured = {
      ...{ at: new Date().toISOString(), seconds: 5, cpu: 1.5, memoryBytes: 1, readBytes: null, writtenBytes: null },
      ...{ receivedBytes: null, sentBytes: null },
      gpus: [{ index: 0, use: 0.87, memoryBytes: 2 ** 30, watts: 312, celsius: 61 }],
    };
    await writeFile(join(receipt?.outputFolder ?? '', 'system.jsonl'), `${JSON.stringify(measured)}\n`);
    const page = await stage.page();
    await page.goto(`/runs/${run}?tab=curves`);
    const plot = page.getByRole('img', { name: /train_loss is now/ });
    await plot.waitFor({ timeout: 240_000 });
    const over = plot.locator('.u-over');
    const box = await over.boundingBox();
    if (!box) throw new Error('the plot has no place on the page');
    const epochAt = async (part: number) => {
      await page.mouse.move(box.x + box.width * part, box.y + box.height / 2);
      const told = await plot.locator('.u-legend .u-value').first().textContent();
      return Number(told?.replace(/[^0-9]/g, ''));
    };
    await expect.poll(() => epochAt(0.5)).toBeGreaterThan(45_000);
    await page.mouse.move(box.x + box.width * 0.4, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 50, { steps: 5 });
    await page.mouse.up();
    await expect.poll(() => epochAt(0.01)).toBeGreaterThan(35_000);
    expect(await epochAt(0.99)).toBeLessThan(55_000);
    await over.dblclick();
    await expect.poll(() => epochAt(0.99)).toBeGreaterThan(90_000);
    for (const named of [
      /^GPU use by time\. GPU 0 is now 87\s?%/,
      /^CPU, cores in use by time/,
      /^loss of batches by epoch/,
    ])
      await page.getByRole('img', { name: named }).waitFor();
    expect(await page.getByRole('img', { name: /^Disk/ }).count()).toBe(0);
    await page.getByText('Steps', { exact: true }).click();
    await page.getByRole('img', { name: /^loss of batches by step/ }).waitFor();
  },
  10 * minutes,
);

it(
  'shows hosts with what they have kept, publishes it and removes it',
  async () => {
    for (const run of ['kept-a', 'kept-b']) {
      const parameters = { fail_at: '2:1', fail_times: 0 };
      await stage.train({ run, trainer: 'counter', epochs: 3, parameters, failures: { restarts: 0 } });
      await stage.inDetail(run, 'stopped');
    }
    const page = await stage.page();
    await page.goto('/hosts');
    await page.getByText('0 of 2 taken').waitFor();
    await page.getByText(/free for run folders in/).waitFor();
    const row = (run: string) => page.locator(`[data-kept=${run}]`);
    await row('kept-a').getByText('Complete').waitFor();
    expect(existsSync(join(stage.dataFolder, 'runs', 'kept-a'))).toBe(true);
    await row('kept-a').getByRole('button', { name: 'Remove' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Everything in it has been verified in the store.').waitFor();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await row('kept-a').waitFor({ state: 'detached' });
    expect(existsSync(join(stage.dataFolder, 'runs', 'kept-a'))).toBe(false);

    await row('kept-b').getByRole('button', { name: 'Publish' }).click();
    await page.getByText('kept-b is being published').waitFor();
    await row('kept-b').waitFor({ state: 'detached', timeout: 90_000 });
    expect(existsSync(join(stage.dataFolder, 'runs', 'kept-b'))).toBe(false);
    const { view } = await stage.details('kept-b');
    expect(existsSync(join(view?.receipt?.outputFolder ?? '', 'receipt.json'))).toBe(true);
  },
  10 * minutes,
);
