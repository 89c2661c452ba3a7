/** A run in the browser, from the form to the receipt, on a real Temporal server, worker and trainer. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RunConfigInput } from '../../contracts/run-config.ts';
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

/** A run that is slow enough to be watched. */
const slowDigits = (run: string): RunConfigInput => ({
  run,
  trainer: 'digits',
  epochs: 5_000,
  parameters: { batch_delay_seconds: 0.02 },
});

/** Presses Tab until what is named so has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab');
    if ((await page.locator(':focus').textContent()) === name) return;
  }
  throw new Error(`${name} cannot be reached with Tab`);
}

const step = (page: Page, name: RegExp) => page.getByRole('button', { name }).first().click();

it(
  'configures and trains digits, from the form to the receipt',
  async () => {
    const page = await stage.page();
    await page.goto('/');
    await page.getByText('Train your first model').waitFor();
    await page.getByRole('link', { name: 'New run' }).last().click();
    await step(page, /Next: Trainer/);
    await page.getByRole('radio', { name: /Handwritten digits/ }).click();
    await page.getByLabel('Epochs').fill('2');
    await step(page, /Next: Parameters/);
    await page.getByLabel('Learning Rate').fill('0.002');
    await expect.poll(() => page.getByLabel('Configuration as YAML').textContent()).toContain('learning_rate: 0.002');
    await step(page, /Next: Checkpoints/);
    await page.getByLabel('Keep last N').fill('2');
    await page.getByRole('combobox', { name: 'Out of memory' }).click();
    await page.getByRole('option', { name: 'End the run as failed' }).click();
    await step(page, /Next: Destination/);
    await page.getByText('High', { exact: true }).click();
    await page.getByLabel('Run id').fill('from-the-form');
    await page.locator('[data-check=fine]').waitFor();
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByRole('heading', { name: 'from-the-form', level: 1 }).waitFor();
    await page.getByRole('tab', { name: 'Receipt' }).click();
    const receipt = page.getByTestId('receipt');
    await receipt.getByText('All epochs were trained.').waitFor();
    await receipt.getByText('2 of 2', { exact: true }).waitFor();
    await receipt.getByText('checkpoints/epoch-0002/weights.npz').waitFor();
    await page.getByRole('tab', { name: 'Overview' }).click();
    await page.locator('[data-state=stopped][data-lit]').waitFor();
    expect((await stage.details('from-the-form')).view?.config).toMatchObject({
      parameters: { learning_rate: 0.002 },
      checkpoints: { last: 2 },
      failures: { onOutOfMemory: 'fail' },
      priority: 2,
    });
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    const row = page.getByRole('row', { name: /from-the-form/ });
    await row.getByText('completed').waitFor();
    await row.getByText('digits', { exact: true }).waitFor();
  },
  10 * minutes,
);

it(
  'stops in the middle of an epoch: says what will happen, shows it, lands',
  async () => {
    const run = await stage.train(slowDigits('to-stop'));
    await stage.atEpoch(run, 1);
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor();
    await page.locator('.plot canvas').first().waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('saves a checkpoint at the batch boundary').waitFor();
    await dialog.getByText('compared by size and sha256').waitFor();
    await dialog.getByRole('button', { name: 'Stop run' }).click();
    await page.getByTestId('outcome').getByText('Stopped by request, after the batch.').waitFor();
    const { view } = await stage.details(run);
    expect(view?.receipt).toMatchObject({
      outcome: 'stopped',
      localFolder: { kind: 'removed' },
      processGroupGone: true,
    });
  },
  8 * minutes,
);

it(
  'offers to stop now when a stop takes long',
  async () => {
    const run = await stage.train({
      run: 'stuck',
      trainer: 'counter',
      epochs: 3,
      parameters: { batch_seconds: 0.05, ignore_stop: '2:2', ignore_sigterm: true },
      deadlines: { stopSeconds: 600, terminateSeconds: 1 },
    });
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor();
    await stage.atEpoch(run, 1);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop run' }).click();
    await page.getByTestId('landing').getByText('Stop the trainer').waitFor();
    await page.getByRole('button', { name: 'Stop now' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop now' }).click();
    await page.getByTestId('outcome').waitFor();
    expect((await stage.details(run)).view?.receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true });
  },
  8 * minutes,
);

it(
  'pauses and resumes',
  async () => {
    const run = await stage.train(slowDigits('to-pause'));
    await stage.atEpoch(run, 1);
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    await page.locator('[data-state="training.sessions.paused"][data-lit]').waitFor();
    const paused = (await stage.details(run)).view?.position.epoch ?? 0;
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await stage.atEpoch(run, paused + 1);
    await stage.ask(`/api/runs/${run}/stop`, {});
    await page.getByTestId('outcome').waitFor();
  },
  8 * minutes,
);

it(
  'shows what is published while a stopped run lands',
  async () => {
    const run = await stage.train({
      run: 'heavy',
      trainer: 'counter',
      epochs: 2,
      parameters: { batches: 1_000, batch_seconds: 0.02, checkpoint_bytes: 600_000_000 },
    });
    await stage.inDetail(run, 'training.epoch');
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page
      .getByTestId('progress')
      .getByText(/batch \d+ of 1,000/)
      .waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop run' }).click();
    const landing = page.getByTestId('landing');
    await landing.getByText('Publish and verify').waitFor();
    await landing.getByRole('progressbar', { name: /[MG]iB of 1\.\d GiB/ }).waitFor();
    await page.getByTestId('outcome').waitFor({ timeout: 240_000 });
  },
  10 * minutes,
);

it(
  'is stopped with the keyboard alone, by a reader in another zone',
  async () => {
    const run = await stage.train(slowDigits('by-keyboard'));
    await stage.atEpoch(run, 1);
    const page = await stage.page({ timezoneId: 'Asia/Tokyo', locale: 'en-GB' });
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor();
    const startedAt = (await stage.details(run)).summary.startedAt ?? '';
    const inTokyo = new Intl.DateTimeFormat('en-GB', {
      dateStyle: 'medium',
      timeStyle: 'medium',
      timeZone: 'Asia/Tokyo',
    });
    expect(await page.locator(`time[datetime="${startedAt}"]`).getAttribute('title')).toBe(
      inTokyo.format(new Date(startedAt)),
    );
    await page.keyboard.press('Tab');
    await page.locator('.skip-link:focus').waitFor();
    await tabTo(page, 'Stop');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    // The focus is back where it was.
    await page.locator('button:focus', { hasText: 'Stop' }).waitFor();
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.locator('input[type=radio]:focus').waitFor();
    await page.keyboard.press('ArrowDown');
    await dialog.getByText('The trainer finishes its epoch').waitFor();
    await tabTo(page, 'Stop run');
    await page.keyboard.press('Enter');
    await page.getByTestId('outcome').getByText('Stopped by request, after the epoch.').waitFor();
  },
  8 * minutes,
);

it(
  'is cancelled from the Temporal UI: ends as Cancelled, with its artifacts published',
  async () => {
    const run = await stage.train(slowDigits('to-cancel'));
    await stage.atEpoch(run, 1);
    const { temporalUi } = await stage.details(run);
    const page = await stage.page();
    await page.goto(temporalUi ?? '');
    await page
      .getByRole('button', { name: /Request Cancellation/ })
      .first()
      .click();
    await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
    await stage.inDetail(run, 'stopped');
    const ended = await stage.details(run);
    expect(ended.summary.workflowStatus).toBe('cancelled');
    expect(ended.view?.receipt).toMatchObject({ outcome: 'stopped', cause: { kind: 'stop', by: 'cancel' } });
    expect(ended.view?.receipt?.checkpoints.length).toBeGreaterThan(0);
    await page.getByText('Canceled').first().waitFor();
    await page.goto(`${stage.address}/runs/${run}`);
    await page.getByTestId('outcome').getByText('Cancelled in Temporal; stopped after the batch.').waitFor();
    // The other UI's own complaints are not ours.
    const ours = stage.consoleErrors.filter((line) => line.startsWith(stage.address));
    stage.consoleErrors.splice(0, stage.consoleErrors.length, ...ours);
  },
  8 * minutes,
);
