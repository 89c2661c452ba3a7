/**
 * Where the time of tiny epochs goes: CPU per epoch by part, from the kernel's count for each thread of the worker and for the server, and
 * from a profile of the worker's own code. Needs /proc.
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BenchHost, type BenchRun } from './bench-host.ts';
import { partOf, profiledParts } from './profiled-parts.ts';
import type { BenchResult } from './result.ts';
import { rounded } from './statistics.ts';

const sizes = [
  { runs: 1, epochs: 100 },
  { runs: 20, epochs: 20 },
];
/** Start-up is no epoch. */
const firstEpochs = 3;
const mostAttempts = 100;

export async function profile(): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const { runs, epochs } of sizes) {
    const profiles = await mkdtemp(join(tmpdir(), 'epochal-profile-'));
    const folder = join(profiles, 'cpu');
    await mkdir(folder);
    const host = await BenchHost.start(runs, {}, ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
    let isStopped = false;
    try {
      const worker = host.worker.pid ?? 0;
      const server = await serverOf(host.folder);
      const started = await Promise.all(Array.from({ length: runs }, () => tiny(host, epochs)));
      await Promise.all(started.map((run) => trained(run, firstEpochs)));
      const before = {
        epochs: await epochsOf(started),
        worker: await threadsOf(worker),
        server: await threadsOf(server),
      };
      const began = performance.now();
      await trained(started[0] as BenchRun, epochs - firstEpochs);
      const after = {
        epochs: await epochsOf(started),
        worker: await threadsOf(worker),
        server: await threadsOf(server),
      };
      const seconds = (performance.now() - began) / 1000;
      const count = after.epochs - before.epochs;
      await Promise.all(started.map((run) => run.result()));
      // It writes its profiles when it ends.
      await host.stop();
      isStopped = true;
      const spent = new Map<string, number>();
      for (const [thread, { name, ms }] of after.worker) {
        const part = partOf(name, thread === worker);
        spent.set(part, (spent.get(part) ?? 0) + ms - (before.worker.get(thread)?.ms ?? 0));
      }
      const of = (ms: number) => rounded(ms / count, 2);
      const sum = (threads: Map<number, Thread>) => [...threads.values()].reduce((all, { ms }) => all + ms, 0);
      const add = (part: string, value: number) => rows.push([runs, part, value]);
      add('epochs a second, all runs', rounded(count / seconds, 1));
      add('worker, all of it (ms)', of(sum(after.worker) - sum(before.worker)));
      for (const [part, ms] of [...spent].sort(([, a], [, b]) => b - a)) add(`worker: ${part} (ms)`, of(ms));
      for (const [thread, parts] of await profiledParts(folder))
        for (const [part, share] of parts) add(`${thread}: ${part} (% of its time)`, rounded(share * 100, 1));
      add('Temporal server (ms)', of(sum(after.server) - sum(before.server)));
    } finally {
      if (!isStopped) await host.stop();
      await rm(profiles, { recursive: true, force: true });
    }
  }
  return {
    title: 'Where the time of a tiny epoch goes',
    about:
      'CPU for each epoch: one batch, one checkpoint. The worker serves the workflows, too. Target at 20 runs: 60 epochs a second, 12 ms in the worker.',
    columns: ['runs', 'part', 'for each epoch'],
    rows,
  };
}

const tiny = (host: BenchHost, epochs: number) =>
  host.train({
    trainer: 'counter',
    epochs,
    parameters: { batches: 1, validation_batches: 0 },
    deadlines: { heartbeatSeconds: 120 },
  });

/** On a busy machine a run may be asked while the server waits for a workflow task that was lost: it is asked again. */
async function epochOf(run: BenchRun): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await run.query<{ position: { epoch: number } }>('run')).position.epoch;
    } catch (error) {
      if (attempt === mostAttempts) throw error;
      await delay(500);
    }
  }
}
const epochsOf = async (runs: readonly BenchRun[]) =>
  (await Promise.all(runs.map(epochOf))).reduce((sum, epoch) => sum + epoch, 0);

/** Asked seldom: a query is work for the worker, too. */
async function trained(run: BenchRun, epochs: number): Promise<void> {
  while ((await epochOf(run)) < epochs) await delay(500);
}

interface Thread {
  name: string;
  ms: number;
}

/** What each thread of a process has used. Clock ticks are a hundredth of a second on Linux. */
async function threadsOf(pid: number): Promise<Map<number, Thread>> {
  const threads = new Map<number, Thread>();
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    if (stat) threads.set(Number(thread), { name, ms: (Number(fields[11]) + Number(fields[12])) * 10 });
  }
  return threads;
}

/** The process that has this benchmark's database. */
async function serverOf(folder: string): Promise<number> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (/temporal/.test(words[0] ?? '') && words.includes(join(folder, 'temporal.db'))) return Number(pid);
  }
  throw new Error('the server of this benchmark is not found');
}
