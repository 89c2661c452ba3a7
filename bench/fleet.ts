/**
 * A thousand runs at once: 125 simulated agents with eight slots each in three processes, their workflows in a fourth, and a Temporal server on
 * PostgreSQL, all on this machine. Everything but the training itself is real (`fleet/simulated-trainer.ts`).
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { workflowQueue } from '../contracts/queues.ts';
import type { Receipt } from '../contracts/receipt.ts';
import { type TrainingRunInput, trainingRunType } from '../contracts/run-messages.ts';
import { forEach } from '../stores/for-each.ts';
import { keptEventSchema } from '../worker/run-report.ts';
import type { BenchRun } from './bench-host.ts';
import { type Cluster, end, startCluster } from './fleet/cluster.ts';
import { type Cost, costOf } from './fleet/process-cost.ts';
import type { BenchResult } from './result.ts';
import { percentile, rounded } from './statistics.ts';

const agents = Number(process.env.EPOCHAL_BENCH_AGENTS ?? 125);
const slots = 8;
const runs = Number(process.env.EPOCHAL_BENCH_RUNS ?? agents * slots);
const epochSeconds = Number(process.env.EPOCHAL_BENCH_EPOCH_SECONDS ?? 60);
/** How long all of them train before any is stopped. */
const minutes = Number(process.env.EPOCHAL_BENCH_FLEET_MINUTES ?? 30);
const agentProcesses = 3;
/** Of which the stop is measured, one after the other; then all others are stopped. */
const measuredStops = Math.min(100, runs);
const together = 20;

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line: string) => process.stderr.write(`  ${line}\n`);

export async function fleet(): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-fleet-'));
  const started: ChildProcess[] = [];
  let cluster: Cluster | null = null;
  let connection: Connection | null = null;
  try {
    cluster = await startCluster(folder);
    say('the Temporal server is up');
    const environment = environmentOf(folder, cluster.address);
    const server = startServer(folder, environment);
    started.push(server);
    const hosts = await startAgents(environment, (child) => started.push(child));
    say(`${agents} agents are up`);
    connection = await Connection.connect({ address: cluster.address });
    const client = new Client({ connection });
    const began = performance.now();
    const all = await inTurn(Array.from({ length: runs }), together, () => train(client));
    await allTrain(client);
    const startSeconds = (performance.now() - began) / 1000;
    say(`${runs} runs train after ${startSeconds.toFixed(0)} s`);

    const parts: Record<string, number[]> = {
      'the Temporal server': [cluster.temporal],
      PostgreSQL: [cluster.postgres],
      'workflows (epochal server)': [server.pid ?? 0],
      'agents, all of them': hosts.map(({ pid }) => pid ?? 0),
    };
    const costs = await watched(parts);
    const stops = await inTurn(all.slice(0, measuredStops), 1, stopped);
    say(`${measuredStops} runs were stopped`);
    const receipts = [
      ...stops.map(({ receipt }) => receipt),
      ...(await inTurn(all.slice(measuredStops), together, async (run) => (await stopped(run)).receipt)),
    ];
    const landed = receipts.filter((receipt) => receipt.outcome === 'stopped' && receipt.checkpoints.length > 0).length;
    const row = (what: string, measured: string | number, target = '') => [what, measured, target];
    const of = (values: number[], share: number) => Math.round(percentile(values, share));
    const known = stops.map((stop) => stop.knownMs);
    const over = stops.map((stop) => stop.overMs);
    return {
      title: `${runs} runs at once`,
      about: `${agents} agents of ${slots} slots, epochs of ${epochSeconds} s, for ${minutes} minutes, on PostgreSQL; on one machine with everything else. Memory: after a fifth of the time, and at its end.`,
      columns: ['what', 'measured', 'target'],
      rows: [
        row('all train, after (s)', Math.round(startSeconds)),
        row('landed with a checkpoint', landed, `${runs}`),
        row('stop until its trainer knows, p50 and p95 (ms)', `${of(known, 0.5)}, ${of(known, 0.95)}`, 'p95 ≤ 1000'),
        row('stop until the receipt, p50 and p95 (ms)', `${of(over, 0.5)}, ${of(over, 0.95)}`),
        ...Object.entries(costs).flatMap(([part, { cpuPerRunHour, early, late }]) => [
          row(`${part}: CPU of a run-hour (s)`, rounded(cpuPerRunHour, 1)),
          row(`${part}: memory (MiB)`, `${Math.round(early)} → ${Math.round(late)}`, 'flat'),
        ]),
      ],
    };
  } finally {
    await connection?.close();
    for (const child of started) await end(child, 'SIGKILL');
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const environmentOf = (folder: string, address: string): NodeJS.ProcessEnv => ({
  ...process.env,
  TEMPORAL_ADDRESS: address,
  TEMPORAL_NAMESPACE: 'default',
  EPOCHAL_BENCH_FOLDER: folder,
  EPOCHAL_DATA_DIR: join(folder, 'server'),
  EPOCHAL_STORE: join(folder, 'store'),
  EPOCHAL_POOL: 'fleet',
  EPOCHAL_SERVER_PORT: '0',
  EPOCHAL_TRAINERS: [join(root, 'test', 'trainers'), join(root, 'trainers')].join(delimiter),
});

function startServer(folder: string, environment: NodeJS.ProcessEnv): ChildProcess {
  const log = openSync(join(folder, 'server.log'), 'a');
  const server = spawn(process.execPath, [join(root, 'bin', 'epochal.mjs'), 'server'], {
    env: environment,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  process.once('exit', () => server.kill('SIGKILL'));
  return server;
}

async function startAgents(
  environment: NodeJS.ProcessEnv,
  onStarted: (child: ChildProcess) => void,
): Promise<ChildProcess[]> {
  const each = Math.ceil(agents / agentProcesses);
  return Promise.all(
    Array.from({ length: agentProcesses }, async (_, index) => {
      const first = index * each;
      const count = Math.max(0, Math.min(each, agents - first));
      const child = fork(
        fileURLToPath(new URL('fleet/agents.ts', import.meta.url)),
        [first, count, slots, epochSeconds].map(String),
        {
          env: environment,
          execArgv: ['--import', 'tsx'],
        },
      );
      onStarted(child);
      const [said] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => ['it has ended'])]);
      if (said !== 'ready') throw new Error(`a process of agents did not start: ${said}`);
      return child;
    }),
  );
}

const train = (client: Client): Promise<BenchRun> => {
  const config = { trainer: 'counter', epochs: 100_000, pool: 'fleet' };
  const input: TrainingRunInput = { config };
  return client.workflow.start<(...args: unknown[]) => Promise<Receipt>>(trainingRunType, {
    workflowId: `fleet-${crypto.randomUUID().slice(0, 13)}`,
    taskQueue: workflowQueue,
    args: [input],
  });
};

/** By what the runs themselves have told the server. */
async function allTrain(client: Client): Promise<void> {
  for (let before = -1; ; ) {
    const { count } = await client.workflow.count(
      "ExecutionStatus = 'Running' AND EpochalDetail = 'training.epoch' AND WorkflowType = 'trainingRun'",
    );
    if (count >= runs) return;
    if (Math.floor(count / 100) > Math.floor(before / 100)) say(`${count} of ${runs} runs train`);
    before = count;
    const { count: over } = await client.workflow.count(
      "ExecutionStatus != 'Running' AND WorkflowType = 'trainingRun'",
    );
    if (over > 0) throw new Error(`${over} runs ended before all of them trained`);
    await delay(2_000);
  }
}

interface PartCost {
  cpuPerRunHour: number;
  /** MiB. */
  early: number;
  late: number;
}

async function watched(parts: Record<string, number[]>): Promise<Record<string, PartCost>> {
  const now = async () => {
    const costs: Record<string, Cost> = {};
    for (const [part, roots] of Object.entries(parts)) {
      const each = await Promise.all(roots.map(costOf));
      costs[part] = {
        cpuSeconds: each.reduce((sum, cost) => sum + cost.cpuSeconds, 0),
        memoryMiB: each.reduce((sum, cost) => sum + cost.memoryMiB, 0),
      };
    }
    return costs;
  };
  const line = (costs: Record<string, Cost>) =>
    Object.entries(costs)
      .map(([part, { memoryMiB }]) => `${part} ${Math.round(memoryMiB)} MiB`)
      .join(', ');
  const began = performance.now();
  const first = await now();
  let early: Record<string, Cost> | null = null;
  for (;;) {
    await delay(Math.min(60_000, minutes * 10_000));
    const at = (performance.now() - began) / 60_000;
    const costs = await now();
    say(`${at.toFixed(1)} minutes: ${line(costs)}`);
    if (at >= minutes / 5) early ??= costs;
    if (at < minutes) continue;
    const runHours = (runs * at) / 60;
    return Object.fromEntries(
      Object.entries(costs).map(([part, { cpuSeconds, memoryMiB }]) => [
        part,
        {
          cpuPerRunHour: (cpuSeconds - (first[part]?.cpuSeconds ?? 0)) / runHours,
          early: early?.[part]?.memoryMiB ?? memoryMiB,
          late: memoryMiB,
        },
      ]),
    );
  }
}

async function stopped(run: BenchRun): Promise<{ receipt: Receipt; knownMs: number; overMs: number }> {
  const asked = Date.now();
  await run.executeUpdate('stop', { args: [{ mode: 'batch' }] as unknown as [] });
  const receipt = await run.result();
  const overMs = Date.now() - asked;
  const text = await readFile(join(receipt.outputFolder ?? '', 'logs', 'events.jsonl'), 'utf8');
  const events = text
    .trim()
    .split('\n')
    .map((line) => keptEventSchema.parse(JSON.parse(line)));
  const known = events.find(({ event }) => event.type === 'acknowledged')?.at ?? '';
  return { receipt, knownMs: Date.parse(known) - asked, overMs };
}

/** So many side by side; the answers are in the order of what was asked. */
async function inTurn<T, R>(items: readonly T[], side: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  await forEach(items.entries(), side, async ([index, item]) => {
    results[index] = await work(item);
  });
  return results;
}
