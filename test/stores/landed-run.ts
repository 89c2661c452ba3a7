/** A run as it lands: an output folder with a claim, checkpoints with manifests, other files and a receipt that names them. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Receipt } from '../../contracts/receipt.ts';
import { type ArtifactStore, outputPath } from '../../stores/artifact-store.ts';

export const namespace = 'the-namespace';
const digest = (bytes: Uint8Array) => ({
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

export interface LandedOptions {
  /** Bytes of the weights of each checkpoint, by number of epochs. */
  checkpoints?: Readonly<Record<number, Uint8Array>>;
  /** Of other files, by path. */
  files?: Readonly<Record<string, string>>;
  /** The receipt names `files.jsonl` in their place. */
  inList?: boolean;
  receipt?: Partial<Receipt>;
  execution?: string;
}

export async function landRun(
  store: ArtifactStore,
  id: string,
  { checkpoints = {}, files = {}, inList = false, receipt = {}, execution = 'execution' }: LandedOptions = {},
): Promise<Receipt> {
  const [project = '', run = ''] = id.split('/');
  const output = outputPath(project, run);
  const life = { namespace, chain: [execution] };
  await store.create(`${output}/life.json`, JSON.stringify({ run, life }));
  const landed: Receipt['checkpoints'] = [];
  for (const [epochs, weights] of Object.entries(checkpoints))
    landed.push(await putCheckpoint(store, output, Number(epochs), weights));
  const named = [];
  for (const [path, content] of Object.entries(files)) {
    await store.write(`${output}/${path}`, content);
    named.push({ path, ...digest(Buffer.from(content)) });
  }
  const list = Buffer.from(named.map((file) => `${JSON.stringify(file)}\n`).join(''));
  if (inList) await store.write(`${output}/files.jsonl`, list);
  const told: Receipt = {
    receiptVersion: 1,
    run,
    project,
    trainer: 'digits',
    outcome: 'completed',
    cause: { kind: 'finished' },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T01:00:00.000Z',
    epochs: { trained: landed.length, planned: landed.length },
    batches: { trained: 1, wasted: 0, afterStop: null },
    metrics: {},
    best: null,
    checkpoints: landed,
    files: inList ? [{ path: 'files.jsonl', ...digest(list) }] : named,
    outputFolder: `${store.address}/${output}`,
    publishedBytes: 1,
    localFolder: { kind: 'removed' },
    stateSeconds: {},
    restarts: [],
    processGroupGone: true,
    gpuMemoryReleased: null,
    data: null,
    notes: [],
    life,
    ...receipt,
  };
  await store.write(`${output}/receipt.json`, JSON.stringify(told));
  return told;
}

/** A whole checkpoint, whether a receipt names it or not. */
export async function putCheckpoint(
  store: ArtifactStore,
  output: string,
  epoch: number,
  weights: Uint8Array,
): Promise<Receipt['checkpoints'][number]> {
  const name = `epoch-${String(epoch).padStart(4, '0')}`;
  const file = { path: 'weights.bin', ...digest(weights) };
  const manifest = {
    ...{ name, epoch, batch: 0, metrics: {} },
    ...{ files: [file], createdAt: '2026-01-01T00:00:00.000Z', session: 'session' },
  };
  const local = join(tmpdir(), `epochal-weights-${process.pid}-${digest(weights).sha256.slice(0, 12)}`);
  await writeFile(local, weights);
  await store.publish(local, `${output}/checkpoints/${name}/weights.bin`);
  await store.write(`${output}/checkpoints/${name}/checkpoint.json`, JSON.stringify(manifest));
  return { ...manifest, files: [{ ...file, path: `checkpoints/${name}/weights.bin` }], reasons: ['last'] };
}
