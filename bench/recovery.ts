/**
 * How soon a run trains again when its worker is killed and started again, when it is drained with another one ready,
 * and when its whole host is gone. One long run each, harmed ten times.
 */
import { mkdtemp, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaultHosts, type FaultWorker } from '../test/faults/fault-host.ts';
import type { FaultRun } from '../test/faults/fault-run.ts';
import { FaultServer } from '../test/faults/fault-server.ts';
import { isContained, killProcess, supervisorOf, trainerOf } from '../test/faults/launched.ts';
import { until } from '../test/support/until.ts';
import { readProcessFile } from '../worker/process-file.ts';
import { signalGroup } from '../worker/process-groups.ts';
import { type RunFolder, RunFolders } from '../worker/run-folders.ts';
import { jsonLines, keptEventSchema } from '../worker/run-report.ts';
import type { BenchResult } from './result.ts';
import { nextBatch } from './stamps.ts';
import { median, rounded } from './statistics.ts';

const repetitions = 10;
const batchSeconds = 0.05;
const heartbeatSeconds = 5;
/** Longer than anything measured: who waited for it would be seen. */
const noHeartbeatTimeout = 600;

interface Recovery {
  /** Milliseconds from the fault to the end of the next trained batch. */
  whole: number;
  /** Of these, the trainer's own: from the start of its process to its word that it is ready. */
  startUp: number;
}

/** One run, and the workers that may have it. */
class Scene {
  private constructor(
    readonly hosts: FaultHosts,
    readonly run: FaultRun,
    readonly stamps: string,
  ) {}

  static async open(server: FaultServer, workers: number, heartbeatSeconds: number): Promise<Scene> {
    const hosts = await FaultHosts.open(server.address);
    for (let count = 0; count < workers; count++) await hosts.worker();
    const stamps = join(hosts.folder, 'stamps');
    const run = await hosts.start({
      epochs: 1000,
      parameters: { batches: 40, batch_seconds: batchSeconds, stamps },
      deadlines: { heartbeatSeconds },
    });
    return new Scene(hosts, run, stamps);
  }

  /** The worker whose trainer trains now, once it has an epoch in the store. */
  async training(): Promise<FaultWorker> {
    const { session, position } = await this.run.until('trains', ({ detail }) => detail === 'training.epoch');
    const view = await this.run.until(
      'has a new epoch in the store',
      (now) => now.position.epoch > position.epoch && now.checkpoints.some(({ stored }) => stored),
    );
    const worker = this.hosts.workers.find(({ isAlive, host }) => isAlive && host === (view.session ?? session)?.host);
    if (!worker) throw new Error(`${this.run.id} trains nowhere`);
    return worker;
  }

  /** `harm` answers when it happened. */
  async measure(harm: (worker: FaultWorker) => Promise<number> | number): Promise<Recovery> {
    const worker = await this.training();
    const known = new Set(await this.#sessions());
    const at = await harm(worker);
    // By its session: in containers all trainers have the same number.
    const next = await until('another trainer is ready', () => this.#ready(known));
    // No trainer starts before the one before it has ended.
    const first = await nextBatch(this.stamps, next.startedAt);
    return { whole: first.at - at, startUp: next.readyAt - next.startedAt };
  }

  folderOn(worker: FaultWorker): RunFolder {
    return new RunFolders(worker.dataFolder).of(this.run.id);
  }

  async #sessions(): Promise<string[]> {
    const files = await Promise.all(this.hosts.workers.map((worker) => readProcessFile(this.folderOn(worker))));
    return files.flatMap((file) => file?.session ?? []);
  }

  /** When a trainer of none of these sessions was started, and was ready; null while there is none. */
  async #ready(known: ReadonlySet<string>): Promise<{ startedAt: number; readyAt: number } | null> {
    for (const worker of this.hosts.workers) {
      const folder = this.folderOn(worker);
      const file = await readProcessFile(folder);
      if (!file || known.has(file.session)) continue;
      // Its supervisor writes it as soon as the process is there.
      const { mtimeMs } = await stat(folder.process);
      const ready = jsonLines(keptEventSchema, await readFile(folder.events, 'utf8')).findLast(
        ({ session, event }) => session === file.session && event.type === 'ready',
      );
      if (ready) return { startedAt: mtimeMs, readyAt: Date.parse(ready.at) };
    }
    return null;
  }

  async close(): Promise<void> {
    await this.run.update('stop', { mode: 'now' });
    await this.run.closed();
    await this.hosts.close();
  }
}

export async function recovery(): Promise<BenchResult> {
  const server = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-bench-server-')));
  try {
    return {
      title: 'From a fault to the next trained batch',
      about: `Seconds, ${repetitions} times each; batches take ${batchSeconds * 1000} ms. “Less start-up” leaves out what the trainer itself takes from the start of its process to its word that it is ready.`,
      columns: ['fault', 'times', 'whole, median (s)', 'less start-up, median (s)', 'less start-up, max (s)', 'target'],
      rows: [
        await row(
          await Scene.open(server, 1, noHeartbeatTimeout),
          'worker killed (kill -9), started again at once: until progress is told again',
          'median ≤ 3 s',
          workerKilled,
        ),
        await row(
          await Scene.open(server, 2, noHeartbeatTimeout),
          'worker drained (SIGTERM), another one ready',
          'median ≤ 2 s',
          workerDrained,
        ),
        await row(
          await Scene.open(server, 2, heartbeatSeconds),
          `host gone for good, another one ready; heartbeat timeout ${heartbeatSeconds} s`,
          `median ≤ ${heartbeatSeconds + 5} s`,
          hostGone,
        ),
      ],
    };
  } finally {
    await server.stop();
  }
}

async function row(
  scene: Scene,
  fault: string,
  target: string,
  measure: (scene: Scene) => Promise<Recovery>,
): Promise<BenchResult['rows'][number]> {
  const recoveries: Recovery[] = [];
  for (let index = 0; index < repetitions; index++) {
    const measured = await measure(scene);
    recoveries.push(measured);
    process.stderr.write(`  ${fault}: ${measured.whole.toFixed(0)} ms, start-up ${measured.startUp.toFixed(0)} ms\n`);
  }
  await scene.close();
  const rest = recoveries.map(({ whole, startUp }) => (whole - startUp) / 1000);
  return [
    fault,
    repetitions,
    rounded(median(recoveries.map(({ whole }) => whole / 1000)), 2),
    rounded(median(rest), 2),
    rounded(Math.max(...rest), 2),
    target,
  ];
}

/** Its trainer trains on: what is waited for is that somebody watches again. */
async function workerKilled(scene: Scene): Promise<Recovery> {
  const worker = await scene.training();
  const at = Date.now();
  await worker.kill();
  await worker.launch();
  const seen = async () => Date.parse((await scene.run.progress())?.at ?? '');
  await until('its progress is told again', async () => (await seen()) > at);
  return { whole: (await seen()) - at, startUp: 0 };
}

async function workerDrained(scene: Scene): Promise<Recovery> {
  let drained: FaultWorker | undefined;
  const measured = await scene.measure((worker) => {
    drained = worker;
    worker.signal('SIGTERM');
    return Date.now();
  });
  if ((await drained?.exited) !== 0) throw new Error('a drained worker ended badly');
  await drained?.start();
  return measured;
}

async function hostGone(scene: Scene): Promise<Recovery> {
  let gone: FaultWorker | undefined;
  const measured = await scene.measure(async (worker) => {
    gone = worker;
    const folder = scene.folderOn(worker);
    // A container ends with its first process.
    const first = isContained ? await supervisorOf(folder) : null;
    const trainer = await trainerOf(folder);
    const at = Date.now();
    await worker.kill();
    if (first) killProcess(first.pid);
    else if (trainer) signalGroup(trainer.pid, 'SIGKILL');
    return at;
  });
  await gone?.start();
  await until('the host serves again', async () => (await gone?.status())?.slots.taken.length === 0);
  return measured;
}
