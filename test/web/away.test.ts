/** What the browser shows while a worker, Temporal or every worker is unavailable, and that it recovers by itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Stage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
}, 300_000);
afterAll(() => stage?.stop());
/** Of pages that were closed before their server. */
let earlier: string[] = [];
afterEach(async () => {
  const errors = [...earlier, ...(await stage.closePages())];
  earlier = [];
  // Questions that nobody could answer, or that come without a sign-in, are what these tests are about; the browser notes each.
  expect(
    errors.filter(
      (line) =>
        !/status of (401|50[23])|ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|ERR_FAILED|dynamically imported module/.test(
          line,
        ),
    ),
  ).toEqual([]);
});

const minutes = 60_000;
const banner = 'health-banner';

it('signs in by the printed address, once, or by the token; and out again', async () => {
  const dataFolder = join(stage.folder, 'signed');
  const server = await stage.startServer({ token: { kind: 'made' }, dataFolder });
  try {
    const printed = await server.signInAddress();
    const page = await stage.page({ baseURL: server.address });
    await page.goto(printed);
    const signOut = page.getByRole('button', { name: 'Sign out' });
    await signOut.waitFor();
    // Neither in the address nor in the history.
    expect(page.url()).toBe(`${server.address}/`);
    await page.reload();
    await signOut.click();
    await page.locator('input[type=password]').waitFor();
    const other = await stage.page({ baseURL: server.address });
    await other.goto(printed);
    await other.getByText('has been used already').waitFor();
    await other.locator('input[type=password]').fill((await readFile(join(dataFolder, 'server-token'), 'utf8')).trim());
    await other.getByRole('button', { name: 'Enter' }).click();
    await other.getByRole('button', { name: 'Sign out' }).waitFor();
  } finally {
    // A page whose server goes first may be cut off in the middle of an answer.
    earlier = await stage.closePages();
    await server.stop();
  }
});

it('says that nobody serves workflows, and what to start', async () => {
  const server = await stage.startServer({ workflowQueue: 'nobody' });
  try {
    const page = await stage.page({ baseURL: server.address });
    await page.goto('/');
    await page.getByTestId(banner).getByText('Workflows are not served').waitFor();
    await page
      .getByTestId(banner)
      .getByText(/^No server serves workflows, so every run waits: start .*\.$/)
      .waitFor();
  } finally {
    earlier = await stage.closePages();
    await server.stop();
  }
});

it(
  'goes on by itself after its worker was killed, and says so meanwhile',
  async () => {
    const parameters = { batch_delay_seconds: 0.02 };
    const run = await stage.train({ run: 'survivor', trainer: 'digits', epochs: 5_000, parameters });
    await stage.atEpoch(run, 1);
    const page = await stage.page();
    const list = await stage.page();
    await list.goto('/');
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor();
    await stage.killWorker();
    await page.getByTestId(banner).getByText('No workers online').waitFor();
    // Temporal knows what there is; the list does not need a worker.
    await list.getByTestId(banner).waitFor();
    await list.getByRole('row', { name: /survivor/ }).waitFor();
    // What a worker that does not answer has is not known, rather than nothing.
    await list.getByRole('link', { name: 'Hosts' }).click();
    await list.getByText('Not known: 1 host did not answer.').waitFor();
    await list.getByText(/last seen at .* whether it still trains is not known/).waitFor();
    await list.getByRole('link', { name: 'New run' }).click();
    await list.getByText('Not known: no worker of this pool answered.', { exact: false }).waitFor();
    const before = (await stage.details(run)).view?.position.epoch ?? 1;
    await stage.startWorker();
    await page.getByTestId(banner).waitFor({ state: 'detached' });
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor({ timeout: 240_000 });
    await stage.atEpoch(run, before + 1);
    await page
      .getByTestId('progress')
      .getByText(/[1-9]\d* of 5,000 complete/)
      .waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop run' }).click();
    await stage.inDetail(run, 'stopped');
    await page.getByTestId('outcome').getByText('Stopped by request').waitFor();
    // No epoch was trained twice.
    const epochs = (await stage.details(run)).view?.curve.map(({ epoch }) => epoch) ?? [];
    expect(epochs).toEqual([...new Set(epochs)]);
  },
  14 * minutes,
);

it(
  'says that Temporal is away, and goes on when it is back',
  async () => {
    const parameters = { batch_delay_seconds: 0.02 };
    const run = await stage.train({ run: 'patient', trainer: 'digits', epochs: 5_000, parameters });
    await stage.atEpoch(run, 1);
    const page = await stage.page();
    await page.goto(`/runs/${run}`);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor();
    const before = (await stage.details(run)).view?.position.epoch ?? 1;
    // A page that was upgraded meanwhile, or cannot be fetched just now, is not one that broke.
    const other = await stage.page();
    await other.goto('/');
    let isGone = true;
    await other.route(/hosts-page.*\.js/, (route) => (isGone ? route.abort() : route.continue()));
    other.once('load', () => {
      isGone = false;
    });
    await other.getByRole('link', { name: 'Hosts' }).click();
    await other.getByRole('heading', { name: 'Hosts', level: 1 }).waitFor();
    expect(isGone).toBe(false);

    const stop = page.getByRole('button', { name: 'Stop', exact: true });
    await page.context().setOffline(true);
    await page.getByTestId(banner).getByText('This browser is offline').waitFor();
    await page.getByTestId(banner).getByText('Data as of').waitFor();
    await page.locator('[data-stale]').waitFor();
    expect(await stop.isDisabled()).toBe(true);
    await page.context().setOffline(false);
    await page.getByTestId(banner).waitFor({ state: 'detached' });
    await expect.poll(() => stop.isDisabled()).toBe(false);

    await stage.stopTemporal();
    await page.getByTestId(banner).getByText('Temporal does not answer').waitFor();
    await page.getByText('Live updates paused').waitFor();
    expect(await stop.isDisabled()).toBe(true);
    await stage.startTemporal();
    await page.getByTestId(banner).waitFor({ state: 'detached', timeout: 120_000 });
    await page.getByText('Live updates paused').waitFor({ state: 'detached', timeout: 120_000 });
    await stage.atEpoch(run, before + 1);
    await page.locator('[data-state="training.sessions.epoch"][data-lit]').waitFor({ timeout: 240_000 });
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop run' }).click();
    await stage.inDetail(run, 'stopped');
    await page.getByTestId('outcome').waitFor();
  },
  14 * minutes,
);
