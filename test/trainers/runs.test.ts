/**
 * Every trainer on its own framework as a user has it: the configuration beside it, trained by a worker and a server.
 * It is killed, continues, ends; is extended, and stopped. What lies on the disk and in the store is what the ledger says.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Receipt } from '../../contracts/receipt.ts';
import { type RunConfigInput, runConfigSchema } from '../../contracts/run-config.ts';
import { ensureEnvironment, readRequirementsFile } from '../../worker/python-environments.ts';
import { TestHost, type TestRun } from '../support/test-host.ts';

const trainers = fileURLToPath(new URL('../../trainers', import.meta.url));

/** What makes the example small, and slow enough to be hit in an epoch. */
const small: Record<string, Record<string, unknown>> = {
  pytorch: { batch_delay_seconds: 0.05, export_onnx: false },
  lightning: { batch_delay_seconds: 0.05 },
  transformers: { batch_delay_seconds: 0.05 },
  yolov8: { image_size: 64, batch_size: 4, plots: false, device: 'cpu' },
  mmdetection: { image_size: 64, batch_size: 4, workers: 0, device: 'cpu' },
};

/** What makes it end before its last epoch, where it has such a way: nothing is learned any more. */
const early: Record<string, Record<string, unknown>> = {
  lightning: { patience: 2, learning_rate: 1e-9 },
  transformers: { patience: 2, learning_rate: 1e-9 },
  mmdetection: {
    overrides: {
      custom_hooks: [
        { type: 'EarlyStoppingHook', monitor: 'coco/bbox_mAP', rule: 'greater', min_delta: 2, patience: 2 },
      ],
    },
  },
};

let host: TestHost;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-test-'));
  host = await TestHost.start();
  const requirements = await readRequirementsFile(join(trainers, 'yolov8', 'requirements.txt'));
  const { python } = await ensureEnvironment({ requirements });
  const script = join(trainers, 'examples', 'make_shapes.py');
  const make = (name: string, format: string) =>
    promisify(execFile)(python, [script, '--count', '24', '--size', '64', '--format', format, join(folder, name)]);
  await make('shapes', 'coco');
  await make('shapes-by-class', 'images');
});
afterAll(async () => {
  await host?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function example(trainer: string): Promise<RunConfigInput> {
  const text = await readFile(join(trainers, trainer, 'example.yaml'), 'utf8');
  const config = runConfigSchema.parse(parse(text));
  const parameters = { ...config.parameters, ...small[trainer] } as RunConfigInput['parameters'];
  return {
    ...config,
    parameters,
    ...(config.data ? { data: join(folder, 'shapes') } : {}),
    pool: host.settings.pool,
    failures: { backoffSeconds: 0 },
  };
}

const rowSchema = z.object({ epoch: z.int(), metrics: z.record(z.string(), z.number()) });
type Row = z.infer<typeof rowSchema>;

async function rowsOf(receipt: Receipt): Promise<Row[]> {
  const text = await readFile(join(receipt.outputFolder ?? '', 'metrics.jsonl'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => rowSchema.parse(JSON.parse(line)));
}

/** Every file that the receipt names is in the store with its sha256, and no checkpoint is there that it does not name. */
async function expectStored(receipt: Receipt): Promise<void> {
  const output = receipt.outputFolder ?? '';
  expect((await readdir(join(output, 'checkpoints'))).sort()).toEqual(
    receipt.checkpoints.map(({ name }) => name).sort(),
  );
  for (const file of [...receipt.files, ...receipt.checkpoints.flatMap(({ files }) => files)]) {
    const content = await readFile(join(output, file.path));
    expect(createHash('sha256').update(content).digest('hex'), file.path).toBe(file.sha256);
  }
}

const inFolder = (run: TestRun, ...path: string[]) => join(host.settings.dataFolder, 'runs', run.id, ...path);

/** Waits until the checkpoints on the disk and those in the store are the ledger's. */
async function expectLedgerOnDisk(run: TestRun): Promise<void> {
  const names = async (path: string) =>
    (await readdir(path).catch(() => [])).filter((name) => name.startsWith('epoch-')).sort();
  let seen = '';
  await run.until('has on its disk and in its store what its ledger says', (view) => view.checkpoints.length > 0);
  await expect
    .poll(
      async () => {
        const { checkpoints, outputFolder } = await run.view();
        const ledger = checkpoints.map(({ name }) => name).sort();
        const stored = checkpoints.filter((one) => one.stored).map(({ name }) => name);
        const places = [
          await names(inFolder(run, 'checkpoints')),
          await names(join(outputFolder ?? '', 'checkpoints')),
        ];
        seen = JSON.stringify({ ledger, stored, places });
        return places.every((place) => JSON.stringify(place) === JSON.stringify(ledger)) ? 'the same' : seen;
      },
      { timeout: 300_000, interval: 20 },
    )
    .toBe('the same');
}

describe.each(Object.keys(small))('%s', (trainer) => {
  let finished: Receipt;

  it('is killed in an epoch, goes on with it, and ends, maybe early, with what its ledger says', async () => {
    const config = await example(trainer);
    // Several more than it has when it is killed.
    const planned = early[trainer] ? 60 : 8;
    const overrides = { ...Object(config.parameters?.overrides), ...Object(early[trainer]?.overrides) };
    const ending = trainer === 'mmdetection' ? { overrides } : early[trainer];
    const parameters = { ...config.parameters, ...ending } as RunConfigInput['parameters'];
    const run = await host.start({ ...config, parameters, epochs: planned });
    await run.until('trains its second epoch', (view) => view.position.epoch >= 1, 1200);
    const { pid } = z.object({ pid: z.int() }).parse(JSON.parse(await readFile(inFolder(run, 'process.json'), 'utf8')));
    process.kill(pid, 'SIGKILL');
    finished = await run.result();

    expect(finished.outcome, JSON.stringify(finished.cause)).toBe('completed');
    expect(finished.restarts.map(({ reason }) => reason)).toEqual(['failure']);
    expect(finished.restarts[0]?.epoch).toBeGreaterThan(0);
    const rows = await rowsOf(finished);
    const epochs = finished.epochs.trained;
    expect(finished.epochs).toEqual({ trained: early[trainer] ? expect.any(Number) : planned, planned });
    expect(finished.cause.kind === 'finished' && finished.cause.early !== undefined).toBe(epochs < planned);
    expect(epochs < planned).toBe(early[trainer] !== undefined);
    expect(rows.map(({ epoch }) => epoch)).toEqual(rows.map((_, index) => index + 1));
    expect(rows).toHaveLength(epochs);
    await expectStored(finished);

    const metric = finished.best?.metric ?? '';
    const values = rows.map(({ metrics }) => metrics[metric] ?? Number.NaN);
    const best = values.indexOf(Math.max(...values)) + 1;
    expect(finished.best).toEqual({ metric, value: values[best - 1], epoch: best });
    const kept = Object.fromEntries(
      finished.checkpoints.map(({ epoch, batch, reasons }) => [`${epoch}/${batch}`, reasons]),
    );
    expect(kept[`${best}/0`]).toContain('best');
    const last = [`${epochs - 1}/0`, `${epochs}/0`];
    expect(Object.keys(kept).sort()).toEqual([...new Set([`${best}/0`, ...last])].sort());
    expect(last.every((name) => kept[name]?.includes('last'))).toBe(true);

    expect(finished.files.some(({ path }) => /artifacts\/tensorboard\/.*tfevents/.test(path))).toBe(true);
    if ((await example(trainer)).data)
      expect(finished.notes.join('\n')).toMatch(/split by \w+: .* sha256 [0-9a-f]{64}/);
  });

  it('is extended, and stopped at the batch', async () => {
    const continueFrom = { outputFolder: finished.outputFolder ?? '' };
    const run = await host.start({ ...(await example(trainer)), epochs: 200, continueFrom });
    const trained = finished.epochs.trained;
    await run.until('has trained another epoch', (view) => view.position.epoch > trained, 1200);
    await expectLedgerOnDisk(run);
    await run.update('stop', { mode: 'batch' });
    const receipt = await run.result();
    expect(receipt.outcome, JSON.stringify(receipt.cause)).toBe('stopped');
    expect(receipt.batches.afterStop).toBeLessThanOrEqual(1);
    expect(receipt.processGroupGone).toBe(true);
    const rows = await rowsOf(receipt);
    expect(rows.map(({ epoch }) => epoch)).toEqual(rows.map((_, index) => index + trained + 1));
    await expectStored(receipt);
  });
});

/** On so few images its boxes score nothing, for which ultralytics' patience does not count; classes do. */
it('yolov8 ends by its patience, and completes', async () => {
  const config = await example('yolov8');
  const still = { lr0: 1e-9, optimizer: 'SGD', warmup_epochs: 0 };
  const parameters = { ...small.yolov8, ...still, task: 'classify', patience: 2 } as RunConfigInput['parameters'];
  const data = join(folder, 'shapes-by-class');
  const run = await host.start({ ...config, data, parameters, epochs: 60 });
  const receipt = await run.result();
  expect(receipt.outcome, JSON.stringify(receipt.cause)).toBe('completed');
  expect(receipt.restarts).toEqual([]);
  expect(receipt.cause).toMatchObject({
    kind: 'finished',
    early: { reason: 'the fitness has not risen for 2 epochs' },
  });
  expect(receipt.epochs.planned).toBe(60);
  expect(receipt.epochs.trained).toBeLessThan(60);
  expect(await rowsOf(receipt)).toHaveLength(receipt.epochs.trained);
  await expectStored(receipt);
});
