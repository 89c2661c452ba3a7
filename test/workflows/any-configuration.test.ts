/**
 * Whatever valid configuration a run has, it lands. EPOCHAL_CONFIGURATIONS says how many are tried, EPOCHAL_SEED which;
 * what failed is printed whole.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Receipt, receiptSchema } from '../../contracts/receipt.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { readJson, TestHost, type TestRun } from '../support/test-host.ts';
import { until } from '../support/until.ts';
import { type Case, cases } from './configurations.ts';

const count = Number(process.env.EPOCHAL_CONFIGURATIONS ?? 40);
const seed = Number(process.env.EPOCHAL_SEED ?? 1);
/** More at once than cores: a trainer that starts waits for its disk. */
const atOnce = 6;
/** What Temporal and this project allow, of one event of a history. */
const mostPayloadBytes = 512 * 1024;

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start({ slots: atOnce });
});
afterAll(() => host?.stop());

it(`${count} valid configurations land, from seed ${seed}`, { timeout: 3_600_000 }, async () => {
  const base = await (await host.start(host.config({ epochs: 2, checkpoints: { last: 2 } }))).result();
  const surroundings = {
    pool: host.settings.pool,
    folder: join(host.settings.dataFolder, 'stores'),
    outputFolder: base.outputFolder ?? '',
  };
  const waiting = fc.sample(cases(surroundings), { numRuns: count, seed });
  const wrong: string[] = [];
  const outcomes = new Map<string, number>();
  const take = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      const { outcome, problems } = await play(one).catch((error) => ({ outcome: 'error', problems: [String(error)] }));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (problems.length === 0) continue;
      wrong.push(`${problems.join('; ')}: ${JSON.stringify(one).slice(0, 3_000)}`);
      process.stdout.write(`${wrong.at(-1)}\n`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, take));
  process.stdout.write(
    `configurations: ${[...outcomes].map(([outcome, times]) => `${times} ${outcome}`).join(', ')}\n`,
  );
  expect(wrong).toEqual([]);
  expect(host.worker.host.slots.taken).toEqual([]);
});

/** Trains it, ends it as asked, and looks for what does not hold. */
async function play(one: Case): Promise<{ outcome: string; problems: string[] }> {
  expect(runConfigSchema.safeParse(one.config).error).toBeUndefined();
  // A store is made where its folder is missing, but not what is above it.
  if (one.config.store) await mkdir(dirname(one.config.store), { recursive: true });
  const run = await host.start(one.config);
  try {
    await end(run, one);
    const receipt = await closed(run);
    return { outcome: receipt.outcome, problems: [...expected(one, receipt), ...(await landed(run, one, receipt))] };
  } catch (error) {
    await run.handle.terminate().catch(() => undefined);
    throw error;
  }
}

async function end(run: TestRun, { ending }: Case): Promise<void> {
  if (ending === 'finish') return;
  await run.until(
    'has trained an epoch, or is over',
    ({ position, state }) => position.epoch > 0 || state === 'stopped',
  );
  if ((await run.handle.describe()).status.name !== 'RUNNING') return;
  if (ending === 'cancel') await run.handle.cancel();
  else await run.update('stop', { mode: ending }).catch(() => undefined);
}

/** The receipt of a run that is over, however it closed. */
async function closed(run: TestRun): Promise<Receipt> {
  const isOver = async () => (await run.handle.describe()).status.name !== 'RUNNING';
  await until(`${run.id} is over`, isOver, 900).catch(async (error: Error) => {
    const { state, detail, position, events } = await run.view();
    throw new Error(`${error.message}${JSON.stringify({ state, detail, position, events: events.slice(-20) })}`);
  });
  const receipt = await run.result().catch((error: unknown) => {
    if (!(error instanceof WorkflowFailedError)) throw error;
    if (error.cause instanceof CancelledFailure) return null;
    const details = (error.cause as { details?: unknown[] } | undefined)?.details?.[0];
    return receiptSchema.safeParse(details).data ?? Promise.reject(error.cause ?? error);
  });
  if (receipt) return receipt;
  const { outputFolder } = await run.view();
  return receiptSchema.parse(await readJson(join(outputFolder ?? '', 'receipt.json')));
}

/** The outcome follows from the configuration. */
function expected(one: Case, { outcome, cause, epochs }: Receipt): string[] {
  const { fails, ending, config, isHurried } = one;
  const { failures } = runConfigSchema.parse(config);
  const isFinal =
    fails !== null &&
    ((fails.kind === 'nan' && failures.onNan === 'stop') ||
      (fails.kind === 'oom' && failures.onOutOfMemory === 'fail') ||
      fails.times === 0 ||
      fails.times > failures.restarts);
  const may = new Set<string>([isFinal ? 'failed' : ending === 'finish' ? 'completed' : 'stopped']);
  // The stop may come before the failure.
  if (ending !== 'finish') may.add('stopped');
  // Then a hang, or a store that did not answer in time, is the truth.
  if (isHurried) may.add('failed');
  const told = cause.kind === 'failure' ? `${outcome} (${cause.failure.kind}: ${cause.failure.message})` : outcome;
  return [
    ...(may.has(outcome) ? [] : [`${told} instead of ${[...may].join(' or ')}`]),
    ...(outcome === 'completed' && epochs.trained !== config.epochs ? [`completed with ${epochs.trained} epochs`] : []),
    ...(cause.kind === 'failure' && cause.failure.kind === 'internal' ? [told] : []),
  ];
}

/** All that the receipt names is in the store and nothing else; the host has what it says. */
async function landed(run: TestRun, { config }: Case, receipt: Receipt): Promise<string[]> {
  const problems: string[] = [];
  const output = receipt.outputFolder ?? '';
  if (config.store && !output.startsWith(config.store)) problems.push(`lands in ${output}`);
  for (const file of [...receipt.checkpoints.flatMap(({ files }) => files), ...receipt.files]) {
    const bytes = await readFile(join(output, file.path)).catch(() => null);
    const isSame = bytes && createHash('sha256').update(bytes).digest('hex') === file.sha256;
    if (!isSame) problems.push(`${file.path} is not in the store as the receipt says`);
  }
  const named = receipt.checkpoints.map(({ name }) => name).sort();
  const there = (await readdir(join(output, 'checkpoints')).catch(() => [])).sort();
  // A publishing that was cut short names what was stored before, and removes nothing any more.
  const isPublished = receipt.publishedBytes > 0;
  if (isPublished && JSON.stringify(named) !== JSON.stringify(there))
    problems.push(`${named} in the receipt, ${there} there`);
  if (receipt.outcome !== 'failed' && named.length === 0) problems.push('no checkpoint has landed');
  if (receipt.processGroupGone !== true) problems.push(`processGroupGone is ${receipt.processGroupGone}`);
  const isHere = existsSync(join(host.settings.dataFolder, 'runs', run.id));
  if (isHere !== (receipt.outcome === 'failed')) problems.push(`run folder ${isHere ? 'is left' : 'is gone'}`);
  const { events } = await run.handle.fetchHistory();
  const largest = Math.max(...(events ?? []).map((event) => JSON.stringify(event).length));
  if (largest > mostPayloadBytes) problems.push(`an event of ${largest} bytes`);
  return problems;
}
