/**
 * Batches that faults cost. Ten runs of 1,600 batches with a checkpoint every 400, five faults in each; all of them side
 * by side, since batches are counted and not timed. What was trained is counted by the trainer's own stamps.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaultHosts } from '../test/faults/fault-host.ts';
import type { FaultRun } from '../test/faults/fault-run.ts';
import { FaultServer } from '../test/faults/fault-server.ts';
import { signalGroup } from '../worker/process-groups.ts';
import type { BenchResult } from './result.ts';
import { nextTrainer, readStamps, stamped } from './stamps.ts';
import { median } from './statistics.ts';

const runs = 10;
const batches = 1600;
const between = 400;
/** Far from any checkpoint, early and late after one. */
const faultsAt = [150, 390, 705, 1090, 1390];

interface Trained {
  run: FaultRun;
  stamps: string;
}

export async function wastedWork(): Promise<BenchResult> {
  const server = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-bench-server-')));
  try {
    return {
      title: 'Batches trained more than once',
      about: `${runs} runs of ${batches} batches, a checkpoint every ${between}, ${faultsAt.length} faults in each.`,
      columns: ['fault', 'runs', 'wasted in all 5 faults, median', 'max', 'receipt says, median', 'target'],
      rows: [
        await row(server, 'trainer killed (kill -9)', 'max ≤ 25', killTrainers),
        await row(server, 'worker drained (SIGTERM), the run resumes elsewhere', 'max ≤ 5', drainEach),
        await row(server, 'worker killed (kill -9) and started again', 'max ≤ 5', killEach),
      ],
    };
  } finally {
    await server.stop();
  }
}

type Harm = (hosts: FaultHosts, trained: readonly Trained[]) => Promise<void>;

async function row(
  server: FaultServer,
  fault: string,
  target: string,
  harm: Harm,
): Promise<BenchResult['rows'][number]> {
  const hosts = await FaultHosts.open(server.address);
  await hosts.worker({ slots: runs });
  const trained: Trained[] = [];
  for (let index = 0; index < runs; index++) {
    const stamps = join(hosts.folder, `stamps-${index}`);
    const run = await hosts.start({
      epochs: batches / between,
      parameters: { batches: between, batch_seconds: 0.05, stamps },
      failures: { restarts: 100, backoffSeconds: 0, maxBackoffSeconds: 0 },
      deadlines: { heartbeatSeconds: 120 },
      checkpoints: { snapshots: 'auto' },
    });
    trained.push({ run, stamps });
  }
  // All on the first worker, however long it makes the trainer's environment: a second one would take what waits.
  await allCameTo(trained, 1);
  await harm(hosts, trained);
  const wasted: number[] = [];
  const told: number[] = [];
  for (const { run, stamps } of trained) {
    const { receipt } = await run.closed(1200);
    if (receipt?.outcome !== 'completed')
      throw new Error(`${run.id} did not complete: ${JSON.stringify(receipt?.cause)}`);
    // Trainers outlive a killed worker: that is no restart.
    const restarts = harm === killEach ? 0 : faultsAt.length;
    if (receipt.restarts.length < restarts) throw new Error(`${run.id} had ${receipt.restarts.length} restarts`);
    const found = await readStamps(stamps);
    if (new Set(found.map(({ batch }) => batch)).size !== batches) throw new Error(`${run.id} left batches out`);
    wasted.push(found.length - batches);
    told.push(receipt.batches.wasted);
  }
  await hosts.close();
  process.stderr.write(`  ${fault}: ${wasted.join(', ')}\n`);
  return [fault, runs, median(wasted), Math.max(...wasted), median(told), target];
}

/** Each run has trained this many batches. */
const allCameTo = (trained: readonly Trained[], count: number) =>
  Promise.all(trained.map(({ stamps }) => stamped(stamps, count)));

/** Each run trains by another process than before. */
const allGoOn = (trained: readonly Trained[], known: ReadonlySet<number>) =>
  Promise.all(trained.map(({ stamps }) => nextTrainer(stamps, known)));

const trainersOf = async (trained: readonly Trained[]): Promise<Set<number>> =>
  new Set((await Promise.all(trained.map(({ stamps }) => readStamps(stamps)))).flat().map(({ pid }) => pid));

/** Two workers in turn: one comes before the other goes. */
const drainEach: Harm = async (hosts, trained) => {
  for (const count of faultsAt) {
    const [before] = hosts.workers.filter(({ isAlive }) => isAlive);
    await hosts.worker({ slots: runs });
    await allCameTo(trained, count);
    const known = await trainersOf(trained);
    before?.signal('SIGTERM');
    await allGoOn(trained, known);
    if ((await before?.exited) !== 0) throw new Error('a drained worker ended badly');
  }
};

const killEach: Harm = async (hosts, trained) => {
  const [worker] = hosts.workers;
  for (const count of faultsAt) {
    await allCameTo(trained, count);
    await worker?.kill();
    await worker?.start();
    // The same trainers, which train on.
    await allCameTo(trained, count + 1);
  }
};

/** Each when it has come so far itself: what it loses is what it trained since its checkpoint. */
const killTrainers: Harm = async (_, trained) => {
  await Promise.all(
    trained.map(async ({ stamps }) => {
      const known = new Set<number>();
      for (const count of faultsAt) {
        const trainer = await reached(stamps, count);
        known.add(trainer);
        signalGroup(trainer, 'SIGKILL');
        await nextTrainer(stamps, known);
      }
    }),
  );
};

/** Waits until this batch of the run is trained, however often others were; answers the trainer. */
async function reached(stamps: string, count: number): Promise<number> {
  const wanted = `${Math.ceil(count / between)}:${((count - 1) % between) + 1}`;
  for (;;) {
    const found = (await readStamps(stamps)).findLast(({ batch }) => batch === wanted);
    if (found) return found.pid;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
