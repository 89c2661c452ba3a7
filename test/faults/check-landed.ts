/**
 * The checker: whatever happened to a run, this is what holds once it is over. It asks the store, the process table,
 * the disks and the receipt, never a log, and answers one sentence for each thing that does not hold.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { isBefore } from '../../contracts/checkpoint.ts';
import { claimFile } from '../../contracts/life.ts';
import { eventsFile, observedEventSchema } from '../../contracts/observed-events.ts';
import { type Receipt, receiptSchema } from '../../contracts/receipt.ts';
import { salvageId } from '../../contracts/salvage-messages.ts';
import { isGroupAlive } from '../../worker/process-groups.ts';
import { filesBelow } from '../../worker/run-folders.ts';
import { until } from '../support/until.ts';
import { checkTracked } from './check-tracked.ts';
import { readJson } from './fault-host.ts';
import type { Closed, FaultRun } from './fault-run.ts';
import { referenceWeights, weightsSchema } from './reference-weights.ts';

export interface Landed extends Closed {
  receipt: Receipt;
  violations: string[];
}

/** Waits for the end of the run, and checks everything. `closed`: how it was closed from outside, where it was. */
export async function checkLanded(run: FaultRun, seconds = 480, closed?: Closed): Promise<Landed> {
  const { how, receipt: own } = closed ?? (await run.closed(seconds));
  const violations: string[] = [];
  const receipt = own ?? (await salvaged(run, seconds));
  if (!receipt) throw new Error(`${run.place}: closed as ${how} without a receipt`);
  for (const check of [checkReceipt, checkFiles, checkEpochs, checkEvents, checkWeights, checkFolders, checkTracked]) {
    violations.push(...(await check(run, receipt, run.outputOnDisk)));
  }
  violations.push(...(await checkProcesses(run)), ...(await checkSlots(run)));
  return { how, receipt, violations: violations.map((violation) => `${run.place}: ${violation}`) };
}

/** The receipt of a run whose end came from outside is written by whoever finds it. */
async function salvaged(run: FaultRun, seconds: number): Promise<Receipt | null> {
  const salvage = run.hosts.client.workflow.getHandle(salvageId(run.place));
  return until(
    `${run.place} is salvaged`,
    async () => {
      const status = await salvage.describe().catch(() => null);
      if (status?.status.name !== 'COMPLETED') return null;
      return receiptSchema.safeParse(await readJson(join(run.outputOnDisk, 'receipt.json')).catch(() => null)).data;
    },
    seconds,
  );
}

type Check = (run: FaultRun, receipt: Receipt, output: string) => Promise<string[]>;

/** The receipt is the one in the store, and says of itself what follows from what it lists. */
const checkReceipt: Check = async (run, receipt, output) => {
  const wrong: string[] = [];
  const trained = receipt.epochs.trained;
  if (receipt.run !== run.id) wrong.push(`the receipt is of ${receipt.run}`);
  if (receipt.outputFolder !== run.outputFolder)
    wrong.push(`the output folder is ${receipt.outputFolder}, not ${run.outputFolder}`);
  const stored: unknown = await readJson(join(output, 'receipt.json')).catch(() => null);
  const differing = differences(stored, receipt);
  if (differing.length > 0) wrong.push(`receipt.json in the store differs: ${differing.join(', ')}`);
  if ((receipt.outcome === 'completed') !== (receipt.cause.kind === 'finished')) {
    wrong.push(`outcome ${receipt.outcome} with cause ${receipt.cause.kind}`);
  }
  const wanted = earlyEndOf(run) ?? run.config.epochs;
  if (receipt.outcome === 'completed' && trained !== wanted) wrong.push(`completed with ${trained} epochs`);
  const isEarly = receipt.cause.kind === 'finished' && receipt.cause.early !== undefined;
  if (receipt.outcome === 'completed' && isEarly !== (wanted !== run.config.epochs)) {
    wrong.push(`completed ${isEarly ? '' : 'not '}early with ${trained} of ${run.config.epochs} epochs`);
  }
  // A host that is gone cannot be asked, and the receipt says so.
  const gone = receipt.localFolder.kind === 'unknown' ? null : true;
  if (receipt.processGroupGone !== gone) wrong.push(`processGroupGone is ${receipt.processGroupGone}`);
  const newest = newestOf(receipt);
  const expected = newest ? newest.epoch * batchesPerEpoch(run) + newest.batch : 0;
  if (receipt.batches.trained !== expected) {
    wrong.push(`${receipt.batches.trained} batches trained, and the newest checkpoint has ${expected}`);
  }
  if (newest && newest.epoch !== trained)
    wrong.push(`${trained} epochs trained, and the newest checkpoint has ${newest.epoch}`);
  if (receipt.batches.afterStop !== null && receipt.batches.afterStop > 1) {
    wrong.push(`${receipt.batches.afterStop} batches begun after the stop`);
  }
  return wrong;
};

/** What observers were told is in order, each event once, and of the end what the receipt says. Who could not be told in time was not told. */
const checkEvents: Check = async (_run, receipt, output) => {
  const text = await readFile(join(output, eventsFile), 'utf8').catch(() => '');
  const events = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => observedEventSchema.parse(JSON.parse(line)));
  const seqs = events.flatMap((event) => (event.kind === 'other' ? [] : event.seq));
  const wrong = seqs.flatMap((seq, index) =>
    seq > (seqs[index - 1] ?? 0) ? [] : `${eventsFile} has event ${seq} late`,
  );
  const last = events.at(-1);
  if (last?.kind === 'ended' && last.data.outcome !== receipt.outcome) {
    wrong.push(`${eventsFile} ends with ${last.data.outcome}, and the receipt with ${receipt.outcome}`);
  }
  return wrong;
};

/** Every file that the receipt names is in the store with that size and sha256, and no other checkpoint is. */
const checkFiles: Check = async (_, receipt, output) => {
  const wrong: string[] = [];
  const files = [...receipt.checkpoints.flatMap((checkpoint) => checkpoint.files), ...receipt.files];
  for (const { path, size, sha256 } of files) {
    const bytes = await readFile(join(output, path)).catch(() => null);
    if (!bytes) wrong.push(`${path} is not in the store`);
    else if (bytes.length !== size || createHash('sha256').update(bytes).digest('hex') !== sha256) {
      wrong.push(`${path} in the store is not what the receipt says`);
    }
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (receipt.publishedBytes !== bytes)
    wrong.push(`publishedBytes is ${receipt.publishedBytes}, the files have ${bytes}`);
  const named = receipt.checkpoints.map(({ name }) => name).sort();
  const there = (await readdir(join(output, 'checkpoints')).catch(() => [])).sort();
  if (JSON.stringify(named) !== JSON.stringify(there))
    wrong.push(`checkpoints ${named} in the receipt, ${there} in the store`);
  // The events go on after the receipt: its end is one of them.
  const known = new Set([...files.map(({ path }) => path), 'receipt.json', claimFile, eventsFile]);
  for await (const path of filesBelow(output)) {
    if (!known.has(path) && !/^checkpoints\/[^/]+\/checkpoint\.json$/.test(path))
      wrong.push(`${path} in the store is in no receipt`);
  }
  return wrong;
};

/** Each complete epoch once, in order. */
const checkEpochs: Check = async (_, receipt, output) => {
  const text = await readFile(join(output, 'metrics.jsonl'), 'utf8').catch(() => '');
  const epochs = text
    .split('\n')
    .filter(Boolean)
    .map((line) => z.object({ epoch: z.int() }).parse(JSON.parse(line)).epoch);
  const expected = Array.from({ length: receipt.epochs.trained }, (_, index) => index + 1);
  return JSON.stringify(epochs) === JSON.stringify(expected)
    ? []
    : [`metrics.jsonl has epochs ${epochs} instead of ${expected}`];
};

/** Every checkpoint has the weights that an uninterrupted run has there, bit for bit. */
const checkWeights: Check = async (run, receipt, output) => {
  const wrong: string[] = [];
  // No further than the training came: what it may have been meant to train does not matter to its weights.
  const { epoch: complete = 0, batch: more = 0 } = newestOf(receipt) ?? {};
  const epochs = Math.max(1, more > 0 ? complete + 1 : complete);
  const config = { ...run.config, epochs };
  for (const { name, epoch, batch } of receipt.checkpoints) {
    const weights = weightsSchema.safeParse(
      await readJson(join(output, 'checkpoints', name, 'weights.json')).catch(() => null),
    );
    const reference = await referenceWeights(config, { epoch, batch });
    if (!weights.success) wrong.push(`${name} has no weights`);
    else if (weights.data.link !== reference?.link || weights.data.count !== reference.count) {
      wrong.push(
        `${name} has not the weights of an uninterrupted run: ${weights.data.count} links, not ${reference?.count}`,
      );
    }
  }
  if (receipt.outcome === 'completed') {
    const final = weightsSchema.safeParse(
      await readJson(join(output, 'artifacts', 'final.json')).catch(() => null),
    ).data;
    const reference = await referenceWeights(config, { epoch: epochs, batch: 0 });
    if (final?.link !== reference?.link) wrong.push('the final weights are not those of an uninterrupted run');
  }
  return wrong;
};

/** What a host that the run left behind does in its own time: seconds at most, on a busy machine. */
const aLittleLater = 120;

/** The folder of the run is where the receipt says, and nowhere else. */
const checkFolders: Check = async (run, receipt) => {
  const wrong: string[] = [];
  const { localFolder } = receipt;
  for (const worker of run.hosts.workers) {
    const path = worker.runFolder(run.place);
    const isKept = localFolder.kind === 'kept' && localFolder.path === path;
    if (isKept && !existsSync(path)) wrong.push(`${path} is not there, though the receipt says that it was kept`);
    if (isKept || localFolder.kind === 'unknown') continue;
    // The host that the run left behind is cleaned by its own worker, a little later.
    if (worker.isAlive) await until('the folder goes', () => !existsSync(path), aLittleLater).catch(() => undefined);
    if (worker.isAlive && existsSync(path)) wrong.push(`${path} is left (the receipt says ${localFolder.kind})`);
  }
  return wrong;
};

/** No process of the run is alive: by the groups that were seen, and by everyone's environment. */
async function checkProcesses(run: FaultRun): Promise<string[]> {
  const wrong: string[] = [];
  for (const trainer of run.trainers) {
    if (await isGroupAlive(trainer)) wrong.push(`the process group ${trainer.pid} is alive`);
  }
  const sessions = run.hosts.workers.map((worker) => `EPOCHAL_SESSION=${worker.runFolder(run.place)}/session.json`);
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').some((line) => sessions.includes(line))) wrong.push(`process ${pid} is alive`);
  }
  return wrong;
}

/** Every worker that serves has given the slot back. */
async function checkSlots(run: FaultRun): Promise<string[]> {
  const wrong: string[] = [];
  for (const worker of run.hosts.workers) {
    if (!worker.isAlive) continue;
    const isFree = async () => !(await worker.status()).slots.taken.includes(run.id);
    if (!(await until('the slot is free', isFree, aLittleLater).catch(() => false)))
      wrong.push(`a slot of ${worker.host} is still taken`);
  }
  return wrong;
}

/** After which epoch the trainer of this run ends by itself, where it was asked to. */
function earlyEndOf({ config }: FaultRun): number | null {
  const [epoch] = z.string().default('').parse(config.parameters?.early_end).split(':');
  return epoch && Number(epoch) < Number(config.epochs) ? Number(epoch) : null;
}

const batchesPerEpoch = (run: FaultRun): number => z.int().default(5).parse(run.config.parameters?.batches);

export function newestOf(receipt: Receipt): Receipt['checkpoints'][number] | null {
  return receipt.checkpoints.reduce<Receipt['checkpoints'][number] | null>(
    (newest, checkpoint) => (newest && isBefore(checkpoint, newest) ? newest : checkpoint),
    null,
  );
}

function differences(a: unknown, b: unknown, path = ''): string[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return [`${path || 'all'}: ${JSON.stringify(a)?.slice(0, 80)} there, ${JSON.stringify(b)?.slice(0, 80)} given`];
  }
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differences(Reflect.get(a, key), Reflect.get(b, key), `${path}.${key}`),
  );
}
