/** Measures a session for as long as it lives, into `system.jsonl` of its run folder. */
import type { GpuUse, SystemRow } from '../../contracts/system-metrics.ts';
import { GroupUsage, type ProcessUsage } from './process-usage.ts';
import { SystemRows } from './system-rows.ts';

export class SystemRecorder {
  readonly #usage: GroupUsage;
  readonly #gpus: () => GpuUse[];
  readonly #rows: Promise<SystemRows | null>;
  #before: { usage: ProcessUsage; at: number } | null = null;

  /** `group`: the process that leads the trainer's, null where it cannot be seen; `gpus`: what those of its slot did last. */
  constructor(path: string, group: number | (() => number | null), gpus: () => GpuUse[]) {
    this.#usage = new GroupUsage(group);
    this.#gpus = gpus;
    // What cannot be written is not recorded: a full disk is for the trainer to fail of, not for who watches it.
    this.#rows = SystemRows.open(path).catch(() => null);
  }

  /** Takes a reading, which makes a row with those before; answers the memory that it found. */
  async tick(): Promise<number | null> {
    const usage = await this.#usage.read();
    const at = performance.now();
    const before = this.#before;
    this.#before = { usage, at };
    if (before) await this.#add(rowBetween(before.usage, usage, (at - before.at) / 1000, this.#gpus()));
    return usage.memoryBytes;
  }

  async #add(row: SystemRow): Promise<void> {
    await (await this.#rows)?.add(row).catch(() => undefined);
  }

  async end(): Promise<void> {
    await (await this.#rows)?.flush().catch(() => undefined);
  }
}

export function rowBetween(before: ProcessUsage, after: ProcessUsage, seconds: number, gpus: GpuUse[]): SystemRow {
  /** A counter falls where a process ended that nobody of the group waited for. */
  const rate = (name: keyof ProcessUsage): number | null => {
    const [from, to] = [before[name], after[name]];
    return from === null || to === null || seconds <= 0 ? null : Math.max(0, (to - from) / seconds);
  };
  const whole = (name: keyof ProcessUsage) => {
    const value = rate(name);
    return value === null ? null : Math.round(value);
  };
  const cpu = rate('cpuSeconds');
  return {
    at: new Date().toISOString(),
    seconds: Math.round(seconds * 1000) / 1000,
    cpu: cpu === null ? null : Math.round(cpu * 1000) / 1000,
    memoryBytes: after.memoryBytes,
    readBytes: whole('readBytes'),
    writtenBytes: whole('writtenBytes'),
    receivedBytes: whole('receivedBytes'),
    sentBytes: whole('sentBytes'),
    gpus,
  };
}
