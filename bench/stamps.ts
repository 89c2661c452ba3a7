/** What the counting trainer stamped into its file: who trained which batch, and when. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export interface Stamp {
  pid: number;
  /** `epoch:batch`, both 1-based. */
  batch: string;
  /** Milliseconds since the epoch, when it was trained. */
  at: number;
}

export async function readStamps(file: string): Promise<Stamp[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  // A trainer that is killed may leave its last line unfinished.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter(Boolean).map((line) => {
    const [pid, batch = '', seconds] = line.split(' ');
    return { pid: Number(pid), batch, at: Number(seconds) * 1000 };
  });
}

/** Waits for the first batch that a trainer other than `known` trains. */
export async function nextTrainer(file: string, known: ReadonlySet<number>): Promise<Stamp> {
  const limit = performance.now() + 180_000;
  for (;;) {
    const found = (await readStamps(file)).find(({ pid }) => !known.has(pid));
    if (found) return found;
    if (performance.now() > limit) throw new Error(`no trainer went on within 180 s (${file})`);
    await delay(50);
  }
}

/** Waits for the first batch that was trained after `at`, in milliseconds since the epoch. */
export async function nextBatch(file: string, at: number): Promise<Stamp> {
  const limit = performance.now() + 180_000;
  for (;;) {
    const found = (await readStamps(file)).find((stamp) => stamp.at > at);
    if (found) return found;
    if (performance.now() > limit) throw new Error(`no batch was trained within 180 s (${file})`);
    await delay(50);
  }
}

/** Waits until this many batches are stamped. */
export async function stamped(file: string, batches: number): Promise<void> {
  while ((await readStamps(file)).length < batches) await delay(20);
}
