/**
 * G6: digits stopped, paused or killed at any batch and continued has the same final weights, bit for bit, as the
 * training that nobody disturbed.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../contracts/receipt.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import { TestHost, type TestRun } from '../support/test-host.ts';

/** More than one who stops or kills it in its second epoch needs, on a busy machine. */
const epochs = 8;
let host: TestHost;
let undisturbed: string;

const digits = (config: Partial<RunConfigInput> = {}): RunConfigInput =>
  host.config({
    trainer: 'digits',
    epochs,
    seed: 7,
    parameters: { hidden_layers: [32], batch_size: 64, batch_delay_seconds: 0.02 },
    failures: { backoffSeconds: 0 },
    ...config,
  });

/** sha256 of the weights in the checkpoint of the last epoch. */
function weightsOf(receipt: Receipt): string {
  const last = receipt.checkpoints.find((checkpoint) => checkpoint.epoch === epochs && checkpoint.batch === 0);
  const weights = last?.files.find((file) => /weights/.test(file.path));
  expect(weights, JSON.stringify(last?.files.map((file) => file.path))).toBeDefined();
  return weights?.sha256 ?? '';
}

beforeAll(async () => {
  host = await TestHost.start({ slots: 2 });
  const run = await host.start(digits({ parameters: { hidden_layers: [32], batch_size: 64 } }));
  undisturbed = weightsOf(await run.result());
}, 300_000);
afterAll(() => host?.stop());

/** Waits until the trainer has trained at least one batch of this epoch. */
const trainsIn = (run: TestRun, epoch: number) =>
  run.until(
    `trains in epoch ${epoch}`,
    ({ detail, position }) => detail === 'training.epoch' && position.epoch >= epoch - 1,
  );

const pidOf = async (run: TestRun): Promise<number> =>
  JSON.parse(await readFile(join(host.settings.dataFolder, 'runs', run.id, 'process.json'), 'utf8')).pid;

describe('digits has the weights of the undisturbed training', { timeout: 600_000 }, () => {
  it('after a stop at a batch and a run that continues from it', async () => {
    const first = await host.start(digits());
    await trainsIn(first, 2);
    await first.update('stop', { mode: 'batch' });
    const stopped = await first.result();
    expect(stopped.outcome).toBe('stopped');
    const second = await host.start(digits({ continueFrom: { outputFolder: stopped.outputFolder as string } }));
    const receipt = await second.result();
    expect(receipt.outcome).toBe('completed');
    expect(weightsOf(receipt)).toBe(undisturbed);
  });

  it('after several pauses, wherever they fall', async () => {
    const run = await host.start(digits());
    for (let pauses = 0; pauses < 3; pauses++) {
      const view = await run.until('trains', ({ detail }) => detail === 'training.epoch' || detail === 'stopped');
      if (view.detail === 'stopped') break;
      await run.update('pause').catch(() => undefined);
      const paused = await run.until(
        'is paused or over',
        ({ detail }) => detail === 'training.paused' || detail === 'stopped',
      );
      if (paused.detail === 'training.paused') await run.update('resume');
    }
    const receipt = await run.result();
    expect(receipt.batches.wasted).toBe(0);
    expect(weightsOf(receipt)).toBe(undisturbed);
  });

  it('after its trainer was killed', async () => {
    const run = await host.start(digits());
    await trainsIn(run, 2);
    process.kill(await pidOf(run), 'SIGKILL');
    await run.until('has noticed', ({ restarts }) => restarts.length > 0);
    const receipt = await run.result();
    expect(receipt).toMatchObject({ outcome: 'completed', restarts: [{ failure: { kind: 'trainerKilled' } }] });
    expect(weightsOf(receipt)).toBe(undisturbed);
  });
});
