/** What a worker waits for before it goes, so that nobody else has to wait for it then. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from './host.ts';
import type { Runs } from './runs.ts';

/** Milliseconds. */
const landingCheckEvery = 500;
const decisionMs = 10_000;
const decisionCheckEvery = 20;

/** Who asks here which runs. */
type Here = Pick<Host, 'id' | 'log'>;

interface Limits {
  milliseconds: number;
  every: number;
  tell?: (runs: readonly string[]) => void;
}

/** Resolves when none of these runs, whose files are here, is being landed, or after `seconds`. */
export function landed(runs: Runs, ids: readonly string[], seconds: number, { id, log }: Here): Promise<void> {
  return waitWhile((run) => runs.isLanding(run, id), ids, {
    milliseconds: seconds * 1000,
    every: landingCheckEvery,
    tell: (left) => log.info({ runs: left }, 'waiting until these runs are published'),
  });
}

/** Runs of this host whose trainers have ended as the worker goes. */
export interface EndedHere {
  /** Whose trainers ran until then. */
  trained: readonly string[];
  /** Whose trainers had done all there was to do: these are published from here next, which did not show before. */
  finished: readonly string[];
}

/**
 * Resolves when these runs have decided what comes next, and those that end have been landed; or after a while. `servesWorkflows`: this
 * process does. Where another one does, a run that trains on elsewhere is not waited for, and none where nobody does.
 */
export async function seenThrough(
  runs: Runs,
  { trained, finished }: EndedHere,
  { seconds, servesWorkflows, host }: { seconds: number; servesWorkflows: boolean; host: Here },
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const all = [...new Set([...trained, ...finished])];
  const decide = servesWorkflows ? all : finished;
  const isServed = async () => servesWorkflows || (await runs.whyUnserved().catch(() => null)) === null;
  if (decide.length > 0 && (await isServed())) await decided(runs, decide, host.id);
  await landed(runs, all, (end - performance.now()) / 1000, host);
}

/**
 * Resolves when these runs, whose trainers have ended on `host`, have decided what comes next, or after a while. A workflow task
 * that is under way as the worker goes would be lost with it, and the server waits 10 s before it asks another one.
 */
export function decided(runs: Runs, ids: readonly string[], host: string): Promise<void> {
  const isDeciding = (run: string) => runs.isDeciding(run, host);
  return waitWhile(isDeciding, ids, { milliseconds: decisionMs, every: decisionCheckEvery });
}

/** Asks again until none of the runs continues with it, or the time is up. A run whose state is unknown counts as finished waiting. */
async function waitWhile(
  goesOn: (run: string) => Promise<boolean>,
  runs: readonly string[],
  limits: Limits,
): Promise<void> {
  const end = performance.now() + limits.milliseconds;
  let left = runs;
  while (left.length > 0 && performance.now() < end) {
    const going = await Promise.all(left.map((run) => goesOn(run).catch(() => false)));
    left = left.filter((_, index) => going[index]);
    if (left.length === 0) return;
    limits.tell?.(left);
    await delay(limits.every);
  }
}
