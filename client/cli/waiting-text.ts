/** What a run waits for, in sentences: a slot and who is before it, a Python environment, its trainer. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunNow, TrainingClient } from '../training-client.ts';

type Asked = Pick<TrainingClient, 'now' | 'hosts' | 'unserved'>;

/** Runs named in a line. */
const mostNamed = 3;

export async function waitingLines(client: Asked, run: string): Promise<string[]> {
  return linesOf(client, await client.now(run));
}

const lookEveryMs = 200;
/** The run checks its configuration before it waits. */
const longestLookMs = 10_000;

/** Of a run that was just started: nothing where its pool has a free slot, which takes it within a moment. */
export async function waitingOfNew(client: Asked, run: string, pool: string): Promise<string[]> {
  const unserved = await client.unserved();
  if (unserved !== null) return [unserved];
  const hosts = await client.hosts(pool);
  if (hosts.some((host) => host.ok && host.status.slots.taken.length < host.status.slots.total)) return [];
  const end = Date.now() + longestLookMs;
  for (;;) {
    const now = await client.now(run);
    const isChecked = !['checking', 'unknown'].includes(now.summary.standing);
    if (isChecked || Date.now() > end) return linesOf(client, now);
    await delay(lookEveryMs);
  }
}

async function linesOf(client: Asked, { waiting, progress }: RunNow): Promise<string[]> {
  const work = progress.flatMap((one) => (one.kind === 'work' && setUps.includes(one.activity) ? [one.doing] : []));
  if (waiting === null) return work;
  const { pool, before } = waiting;
  const slot = `for a free slot in pool ${pool}`;
  if (before.length > 0) return [`${slot}, ${counted(before.length)} ahead of it: ${named(before)}`];
  return [`${slot}, first in the queue; ${await slotsText(client, pool)}`];
}

/** A run that is being set up; storing and publishing are no waiting. */
const setUps: readonly string[] = ['checkConfig', 'openSession'];

/** Who has the slots; a host that does not answer has the pool wait, too. */
async function slotsText(client: Asked, pool: string): Promise<string> {
  const hosts = await client.hosts(pool);
  if (hosts.length === 0) return 'no worker serves the pool';
  const taken = hosts.flatMap((host) => (host.ok ? host.status.slots.taken : []));
  const silent = hosts.filter(({ ok }) => !ok).length;
  return [
    taken.length > 0 ? `the slots are taken by ${named(taken)}` : 'no slot is taken',
    ...(silent > 0 ? [`${silent} of ${hosts.length} hosts do not answer`] : []),
  ].join(', ');
}

const counted = (runs: number): string => `${runs} ${runs === 1 ? 'run' : 'runs'}`;

function named(runs: readonly string[]): string {
  const rest = runs.length - mostNamed;
  return [...runs.slice(0, mostNamed), ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ');
}
