/** The form for a new run: its problems, its text, drafts, copies of runs and of checkpoints. */
import { execFile } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { makeShapesDataSet } from './shapes-data-set.ts';
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

const step = (page: Page, name: RegExp) => page.getByRole('button', { name }).first().click();

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
    // In sight on a small page, too, in front of what is at its foot.
    await page.setViewportSize({ width: 390, height: 844 });
    const isOnTop = `(() => {
      const told = document.querySelector('[data-testid=check] button');
      const { x, y, width, height } = told.getBoundingClientRect();
      return told.contains(document.elementFromPoint(x + width / 2, y + height / 2));
    })()`;
    await expect.poll(() => page.evaluate(isOnTop)).toBe(true);
    await page.setViewportSize({ width: 1280, height: 900 });
    // What only the trainer itself can know comes from its check on a worker.
    await page.getByLabel('Learning Rate').fill('0.01');
    await page.getByLabel('Hidden Layers-1').fill('100000');
    await page.getByTestId('check').getByText('must be between 1 and 4096').waitFor();
    await page.getByText('must be between 1 and 4096', { exact: true }).waitFor();
  },
  6 * minutes,
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
    // What is written survives a reload, and a walk to another page and back.
    await page.reload();
    await expect.poll(() => editor.textContent()).toMatch(/# mine[\s\S]*epochs: 6 # few/);
    await page.getByRole('link', { name: 'Hosts' }).click();
    await page.getByRole('heading', { name: 'Hosts', level: 1 }).waitFor();
    await page.goBack();
    await expect.poll(() => page.getByLabel('Epochs').inputValue()).toBe('6');
    await editor.fill('trainer: digits\nepochs: [');
    await page.getByText(/Invalid YAML: line/).waitFor();
    expect(await page.getByLabel('Epochs').isDisabled()).toBe(true);
    await editor.fill('trainer: digits\nepochs: 5\n');
    await expect.poll(() => page.getByLabel('Epochs').inputValue()).toBe('5');
  },
  6 * minutes,
);

it(
  'saves a draft, goes on with it later, and trains it',
  async () => {
    const page = await stage.page();
    await page.goto('/new');
    await page.getByLabel('Configuration as YAML').fill('run: a-draft\ntrainer: digits\nepochs: 9\n');
    await page.getByRole('button', { name: 'Save draft' }).click();
    await page.getByText('Draft: not started yet').waitFor();
    await page.getByRole('link', { name: 'Edit draft' }).click();
    await step(page, /Next: Trainer/);
    await expect.poll(() => page.getByLabel('Epochs').inputValue()).toBe('9');
    await page.getByLabel('Epochs').fill('1');
    await page.locator('[data-check=fine]').waitFor();
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByTestId('outcome').getByText('1 of 1 epoch trained', { exact: false }).waitFor();
  },
  8 * minutes,
);

it(
  'shows what a data set holds before anyone trains on it',
  async () => {
    const data = join(stage.dataSets, 'shapes');
    await makeShapesDataSet(data);
    const [unmarked = ''] = await readdir(join(data, 'labels', 'train'));
    await rm(join(data, 'labels', 'train', unmarked));
    const page = await stage.page();
    await page.goto('/new');
    await page.getByRole('radio', { name: /shapes/ }).click();
    await page.getByRole('heading', { name: 'shapes: 48 images, 3 classes' }).waitFor();
    await page.getByText(/train 36 \(75%\) · val 12 \(25%\)/).waitFor();
    const classes = page.getByRole('list', { name: 'Classes' });
    for (const name of ['circle', 'square', 'triangle'])
      await classes.getByRole('listitem').filter({ hasText: name }).waitFor();
    // Boxes are drawn over images that have arrived.
    await page.locator('.marked-image svg rect').first().waitFor();
    expect(await page.locator('.marked-image svg').count()).toBe(12);
    await page.getByText('1–12 of 48').waitFor();
    await page.getByRole('button', { name: 'Next', exact: true }).click();
    await page.getByText('13–24 of 48').waitFor();
    await page.getByRole('combobox', { name: 'Split' }).click();
    await page.getByRole('option', { name: 'val' }).click();
    await expect.poll(() => page.locator('.marked-image svg').count()).toBe(12);
    await page.getByText('13–24 of 48').waitFor({ state: 'hidden' });
    await expect
      .poll(() => page.getByLabel('Configuration as YAML').textContent())
      .toContain(`data: ${stage.dataSets}`);
    // With a trainer, a worker says what it would train on, and the images that a finding is about are shown.
    await page.getByLabel('Configuration as YAML').fill(`trainer: looker\nepochs: 1\ndata: ${data}\n`);
    const report = page.getByTestId('data-report');
    await report.getByRole('row', { name: /Duplicates not checked/ }).waitFor();
    await report.getByText('image without labels: 1').click();
    const width = () => report.getByRole('img').evaluate((image) => Reflect.get(image, 'naturalWidth'));
    await expect.poll(width).toBe(160);
    // The trainer's own form has the data set with its images, and its classes to choose from.
    await step(page, /Parameters/);
    await expect
      .poll(() => page.getByRole('combobox', { name: 'On the workers' }).inputValue())
      .toMatch(/^shapes \(yolo/);
    await page.locator('.marked-image svg rect').first().waitFor();
    await page.getByRole('combobox', { name: 'Classes' }).click();
    await page.getByRole('option', { name: /^circle \(\d+\)$/ }).click();
    await expect.poll(() => page.getByLabel('Configuration as YAML').textContent()).toMatch(/classes:[^a-z]*circle/);
    await page.getByRole('heading', { name: 'Other parameters' }).waitFor();
    // Before its first epoch the run has looked at every image.
    await page.locator('[data-check=fine]').waitFor();
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByRole('tab', { name: 'Data' }).click();
    await report.getByRole('row', { name: /Decoded 48 images, all intact/ }).waitFor();
    await report.getByRole('row', { name: /Duplicates none/ }).waitFor();
    await report
      .getByRole('row', { name: /Split train 36 images.*1 without annotations; loaded: 35 images/ })
      .waitFor();
    await report.getByText('image discarded by looker (train): 1').waitFor();
    await page.getByRole('tab', { name: 'Receipt' }).click();
    await page.getByText(/loaded: 35 images/).waitFor();
  },
  8 * minutes,
);

it(
  'makes a new run like an earlier one, and the same as a command',
  async () => {
    const parameters = { learning_rate: 0.004, hidden_layers: [16] };
    await stage.train({ run: 'original', trainer: 'digits', epochs: 1, project: 'copies', parameters });
    await stage.inDetail('original', 'stopped');
    const page = await stage.page({ permissions: ['clipboard-read', 'clipboard-write'] });
    await page.goto('/runs/original');
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'New run like this one' }).click();
    const editor = page.getByLabel('Configuration as YAML');
    await expect.poll(() => editor.textContent()).toMatch(/learning_rate: 0.004/);
    await editor.fill(`run: like-it\n${await yamlIn(page)}`);
    await page.locator('[data-check=fine]').waitFor();

    await page.getByRole('button', { name: 'Copy as' }).click();
    await page.getByRole('menuitem', { name: 'command' }).click();
    await page.getByText('Command copied').waitFor();
    const command = z.string().parse(await page.evaluate('navigator.clipboard.readText()'));
    await runInShell(command.replace('run: like-it', 'run: by-command'));
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByRole('heading', { name: 'like-it', level: 1 }).waitFor();
    for (const run of ['like-it', 'by-command']) {
      await stage.inDetail(run, 'stopped');
      expect((await stage.details(run)).view?.config).toMatchObject({ project: 'copies', epochs: 1, parameters });
    }
  },
  10 * minutes,
);

it(
  'continues from a checkpoint with its progress, and forks one with other parameters',
  async () => {
    await stage.train({ run: 'parent', trainer: 'digits', epochs: 2 });
    await stage.inDetail('parent', 'stopped');
    const page = await stage.page();
    const trainOn = async (how: string) => {
      await page.goto('/runs/parent?tab=checkpoints');
      await page.getByRole('button', { name: 'Continue or fork from epoch-0002' }).click();
      await page.getByRole('menuitem', { name: how }).click();
      await expect.poll(() => page.getByLabel('Configuration as YAML').textContent()).toMatch(/continueFrom/);
      await step(page, /Next: Trainer/);
      await page.getByText('Checkpoint epoch-0002 of').waitFor();
    };
    const started = async () => {
      await page.locator('[data-check=fine]').waitFor();
      await page.getByRole('button', { name: 'Start training' }).click();
      await page.waitForURL(/\/runs\/(?!parent)/);
      const run = decodeURIComponent(new URL(page.url()).pathname.split('/').at(-1) ?? '');
      await stage.inDetail(run, 'stopped');
      return (await stage.details(run)).view;
    };
    await trainOn('Continue from here');
    // Both epochs are trained: one that continues has to train more.
    expect(await page.getByLabel('Epochs').inputValue()).toBe('4');
    await page.getByLabel('Epochs').fill('3');
    const continued = await started();
    // The third epoch alone was left to train.
    expect(continued?.curve.map(({ epoch }) => epoch)).toEqual([3]);
    expect(continued?.receipt?.outcome).toBe('completed');

    await trainOn('Fork with other parameters');
    await page.getByLabel('Epochs').fill('1');
    await step(page, /Next: Parameters/);
    await page.getByLabel('Learning Rate').fill('0.009');
    const forked = await started();
    expect(forked?.config).toMatchObject({
      parameters: { learning_rate: 0.009 },
      continueFrom: { checkpoint: 'epoch-0002', keepProgress: false },
    });
    expect(forked?.curve.map(({ epoch }) => epoch)).toEqual([1]);
  },
  12 * minutes,
);

/** Lines as they are in the editor: its text content has no ends of lines. */
async function yamlIn(page: Page): Promise<string> {
  const lines = await page.getByLabel('Configuration as YAML').locator('.cm-line').allTextContents();
  return lines.join('\n');
}

/** The command as someone pastes it, where `epochal` is on the PATH. */
async function runInShell(command: string): Promise<void> {
  const program = fileURLToPath(new URL('../../bin/epochal.mjs', import.meta.url));
  const script = `set -e; epochal() { "$NODE" "$PROGRAM" "$@"; }\n${command}\n`;
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program, TEMPORAL_ADDRESS: stage.temporal.address };
  await promisify(execFile)('bash', ['-c', script], { env, timeout: 120_000 });
}
