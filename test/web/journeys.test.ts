/** What people do in the browser, on a real Temporal server, worker and trainer. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RunDetails } from '../../contracts/http-api.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { until } from '../support/until.ts';
import { Stage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start({ slots: 2 });
}, 300_000);
afterAll(() => stage?.stop());
afterEach(() => {
  const seen = stage.consoleErrors.splice(0);
  expect(seen).toEqual([]);
});

const minutes = 60_000;

async function start(config: RunConfigInput): Promise<string> {
  const response = await fetch(`${stage.server.address}/api/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ config }),
  });
  expect(response.status, await response.clone().text()).toBe(201);
  const { run } = (await response.json()) as { run: string };
  return run;
}

async function details(run: string): Promise<RunDetails> {
  return (await (await fetch(`${stage.server.address}/api/runs/${run}`)).json()) as RunDetails;
}

const inDetail = (run: string, detail: string) =>
  until(`${run} is in ${detail}`, async () => (await details(run)).view?.detail === detail, 180);

const atEpoch = (run: string, epoch: number) =>
  until(`${run} is past epoch ${epoch}`, async () => ((await details(run)).view?.position.epoch ?? 0) >= epoch, 180);

/** A run that is slow enough to be watched. */
const slowDigits = (run: string): RunConfigInput => ({
  run,
  trainer: 'digits',
  epochs: 500,
  parameters: { batch_delay_seconds: 0.02 },
});

const step = (page: Page, name: RegExp) => page.getByRole('button', { name }).first().click();

it(
  'configures and trains digits, from the form to the receipt',
  async () => {
    const page = await stage.page();
    await page.goto('/');
    await page.getByRole('link', { name: 'New run' }).last().click();
    await step(page, /Next: Trainer/);
    await page.getByRole('radio', { name: /Handwritten digits/ }).click();
    await page.getByLabel('Epochs').fill('2');
    await step(page, /Next: Parameters/);
    await page.getByLabel('Learning Rate').fill('0.002');
    await expect.poll(() => page.getByLabel('Configuration as YAML').textContent()).toContain('learning_rate: 0.002');
    await step(page, /Next: Checkpoints/);
    await page.getByLabel('Most recent ones').fill('2');
    await step(page, /Next: Where/);
    await page.getByLabel('Name of the run').fill('from-the-form');
    await page.locator('[data-check=fine]').waitFor();
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByRole('heading', { name: 'from-the-form', level: 1 }).waitFor();
    await page.getByRole('tab', { name: 'Receipt' }).click({ timeout: 90_000 });
    const receipt = page.getByTestId('receipt');
    await receipt.getByText('All epochs were trained.').waitFor();
    await receipt.getByText('2 of 2', { exact: true }).waitFor();
    await receipt.getByText('checkpoints/epoch-0002/weights.npz').waitFor();
    await page.getByRole('tab', { name: 'Overview' }).click();
    await page.locator('[data-state=stopped][data-lit]').waitFor();
    expect((await details('from-the-form')).view?.config.parameters).toMatchObject({ learning_rate: 0.002 });
  },
  4 * minutes,
);

it(
  'stops in the middle of an epoch: says what will happen, shows it, lands',
  async () => {
    const run = await start(slowDigits('to-stop'));
    await atEpoch(run, 1);
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor();
    await page.locator('.plot canvas').first().waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('saves a checkpoint at the batch boundary').waitFor();
    await dialog.getByText('compared by size and sha256').waitFor();
    await dialog.getByRole('button', { name: 'Stop run' }).click();
    await page.getByTestId('outcome').getByText('Stopped by request, after the batch.').waitFor({ timeout: 90_000 });
    const { view } = await details(run);
    expect(view?.receipt).toMatchObject({
      outcome: 'stopped',
      localFolder: { kind: 'removed' },
      processGroupGone: true,
    });
  },
  3 * minutes,
);

it(
  'offers to stop now when a stop takes long',
  async () => {
    const run = await start({
      run: 'stuck',
      trainer: 'counter',
      epochs: 3,
      parameters: { batch_seconds: 0.05, ignore_stop: '2:2', ignore_sigterm: true },
      deadlines: { stopSeconds: 600, terminateSeconds: 1 },
    });
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor({ timeout: 60_000 });
    await atEpoch(run, 1);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop run' }).click();
    await page.getByTestId('landing').getByText('Stop the trainer').waitFor();
    await page.getByRole('button', { name: 'Stop now' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop now' }).click();
    await page.getByTestId('outcome').waitFor({ timeout: 60_000 });
    expect((await details(run)).view?.receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true });
  },
  3 * minutes,
);

it(
  'pauses and resumes',
  async () => {
    const run = await start(slowDigits('to-pause'));
    await atEpoch(run, 1);
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor({ timeout: 60_000 });
    await page.locator('[data-state="training.sessions.paused"][data-lit]').waitFor();
    const paused = (await details(run)).view?.position.epoch ?? 0;
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor({ timeout: 60_000 });
    await atEpoch(run, paused + 1);
    await fetch(`${stage.server.address}/api/runs/${run}/stop`, { method: 'POST' });
    await page.getByTestId('outcome').waitFor({ timeout: 60_000 });
  },
  3 * minutes,
);

it(
  'shows a bad value beside its field, in the list and in the text, and starts nothing',
  async () => {
    const page = await stage.page();
    await page.goto('/new');
    await step(page, /Next: Trainer/);
    await page.getByRole('radio', { name: /Handwritten digits/ }).click();
    await page.getByLabel('Epochs').fill('-3');
    await page.getByText('must be at least 1', { exact: true }).waitFor();
    await page.getByLabel('Epochs').fill('3');
    await step(page, /Next: Parameters/);
    await page.getByLabel('Learning Rate').fill('7');
    await page.getByText('must be at most 1', { exact: true }).first().waitFor();
    await page.getByTestId('check').getByText('parameters.learning_rate is 7: must be at most 1').waitFor();
    await page.getByRole('button', { name: 'Start training' }).click();
    expect(new URL(page.url()).pathname).toBe('/new');
    // What only the trainer itself can know comes from its check on a worker.
    await page.getByLabel('Learning Rate').fill('0.01');
    await page.getByLabel('Hidden Layers-1').fill('100000');
    await page.getByTestId('check').getByText('must be between 1 and 4096').waitFor();
    await page.getByText('must be between 1 and 4096', { exact: true }).waitFor();
  },
  2 * minutes,
);

it(
  'keeps text and form in step, with comments, and says where text cannot be read',
  async () => {
    const page = await stage.page();
    await page.goto('/new');
    const editor = page.getByLabel('Configuration as YAML');
    await editor.fill('# mine\ntrainer: digits\nepochs: 4 # few\n');
    await step(page, /Next: Trainer/);
    await expect.poll(() => page.getByLabel('Epochs').inputValue()).toBe('4');
    await page.getByLabel('Epochs').fill('6');
    await expect.poll(() => editor.textContent()).toMatch(/# mine[\s\S]*epochs: 6 # few/);
    await editor.fill('trainer: digits\nepochs: [');
    await page.getByText(/The YAML cannot be read: line/).waitFor();
    expect(await page.getByLabel('Epochs').isDisabled()).toBe(true);
    await editor.fill('trainer: digits\nepochs: 5\n');
    await expect.poll(() => page.getByLabel('Epochs').inputValue()).toBe('5');
  },
  2 * minutes,
);

it(
  'saves a draft, goes on with it later, and trains it',
  async () => {
    const page = await stage.page();
    await page.goto('/new');
    await page.getByLabel('Configuration as YAML').fill('run: a-draft\ntrainer: digits\nepochs: 9\n');
    await page.getByRole('button', { name: 'Save draft' }).click();
    await page.getByText('A draft: nothing runs yet').waitFor();
    await page.getByRole('link', { name: 'Edit draft' }).click();
    await step(page, /Next: Trainer/);
    await expect.poll(() => page.getByLabel('Epochs').inputValue()).toBe('9');
    await page.getByLabel('Epochs').fill('1');
    await page.locator('[data-check=fine]').waitFor();
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByTestId('outcome').getByText('1 of 1 epoch trained', { exact: false }).waitFor({ timeout: 90_000 });
  },
  3 * minutes,
);

it(
  'compares two runs: curves over each other, and what differs',
  async () => {
    for (const [run, rate] of [
      ['compare-a', 0.001],
      ['compare-b', 0.01],
    ] as const) {
      await start({ run, trainer: 'digits', epochs: 3, project: 'comparing', parameters: { learning_rate: rate } });
    }
    await inDetail('compare-a', 'stopped');
    await inDetail('compare-b', 'stopped');
    const page = await stage.page();
    await page.goto('/?project=comparing');
    await page.getByRole('checkbox', { name: 'Compare compare-a' }).check();
    await page.getByRole('checkbox', { name: 'Compare compare-b' }).check();
    await page.getByRole('link', { name: 'Compare 2' }).click();
    await page
      .getByRole('row', { name: /parameters.learning_rate/ })
      .getByText('0.01', { exact: true })
      .waitFor();
    const plot = page.getByRole('img', { name: /val_loss of 2 runs.*compare-a is now.*compare-b is now/ });
    await plot.waitFor();
    await page.waitForTimeout(5_000);
    expect((await plot.locator('canvas').boundingBox())?.height).toBeGreaterThan(100);
  },
  3 * minutes,
);

it(
  'downloads a checkpoint that has the sha256 that is shown, and trains on from it',
  async () => {
    const run = await start({ run: 'to-download', trainer: 'digits', epochs: 2 });
    await inDetail(run, 'stopped');
    const page = await stage.page();
    await page.goto(`/runs/${run}?tab=checkpoints`);
    await page.getByRole('button', { name: '3 files' }).first().click();
    const shown = await page.locator('[data-sha256="weights.npz"]').first().textContent();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page
        .getByRole('link', { name: /Download weights.npz/ })
        .first()
        .click(),
    ]);
    const content = await readFile(await download.path());
    expect(createHash('sha256').update(content).digest('hex')).toBe(shown);
    await page
      .getByRole('button', { name: /Train on from/ })
      .first()
      .click();
    await page.getByRole('menuitem', { name: /Continue from here/ }).click();
    await expect.poll(() => page.getByLabel('Configuration as YAML').textContent()).toMatch(/continueFrom/);
  },
  3 * minutes,
);

it(
  'says that every worker is away, and goes on by itself when one is back',
  async () => {
    const run = await start(slowDigits('survivor'));
    await atEpoch(run, 1);
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor();
    await stage.stopWorker();
    const before = (await details(run)).view?.position.epoch ?? 0;
    await stage.startWorker();
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor({ timeout: 90_000 });
    await expect
      .poll(() => page.getByTestId('progress').textContent(), { timeout: 90_000 })
      .toMatch(new RegExp(`${before + 1} of 500|${before + 2} of 500`));
    await fetch(`${stage.server.address}/api/runs/${run}/stop`, { method: 'POST' });
    await page.getByTestId('outcome').waitFor({ timeout: 60_000 });
    // While it was away, questions to it failed; that is what the test is about.
    const others = stage.consoleErrors.filter((line) => !/503|Failed to load resource/.test(line));
    stage.consoleErrors.splice(0, stage.consoleErrors.length, ...others);
  },
  4 * minutes,
);

it(
  'is cancelled from the Temporal UI: ends as Cancelled, with its artifacts published',
  async () => {
    const run = await start(slowDigits('to-cancel'));
    await atEpoch(run, 1);
    const { temporalUi } = await details(run);
    const page = await stage.page();
    await page.goto(temporalUi ?? '');
    await page
      .getByRole('button', { name: /Request Cancellation/ })
      .first()
      .click();
    await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
    await inDetail(run, 'stopped');
    const ended = await details(run);
    expect(ended.summary.workflowStatus).toBe('cancelled');
    expect(ended.view?.receipt).toMatchObject({ outcome: 'stopped', cause: { kind: 'stop', by: 'cancel' } });
    expect(ended.view?.receipt?.checkpoints.length).toBeGreaterThan(0);
    await page.getByText('Canceled').first().waitFor();
    await page.goto(`${stage.server.address}/runs/${run}`);
    await page.getByTestId('outcome').getByText('Cancelled in Temporal; stopped after the batch.').waitFor();
    // The other UI's own complaints are not ours.
    const ours = stage.consoleErrors.filter((line) => line.startsWith(stage.server.address));
    stage.consoleErrors.splice(0, stage.consoleErrors.length, ...ours);
  },
  3 * minutes,
);
