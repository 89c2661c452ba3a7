/** Whether a trainer that has ended gave the memory of its GPUs back, as the driver tells. */
import { setTimeout as delay } from 'node:timers/promises';
import { readGpus } from './gpus.ts';

/** The driver takes a moment to tear down what a killed process had. */
const patienceMs = 10_000;
const pauseMs = 250;
/** Bytes that the driver itself may hold more or less of from one reading to the next. */
const slack = 64 * 1024 * 1024;

export class GpuMemory {
  private constructor(
    readonly gpus: readonly number[],
    readonly usedBefore: number,
  ) {}

  /** As it is now, before the trainer starts; null where it cannot be asked. */
  static async read(gpus: readonly number[]): Promise<GpuMemory | null> {
    const used = await usedBytes(gpus);
    return used === null ? null : new GpuMemory(gpus, used);
  }

  /** Waits a while for it; null where it can no longer be asked. */
  async isReleased(): Promise<boolean | null> {
    const limit = performance.now() + patienceMs;
    for (;;) {
      const used = await usedBytes(this.gpus);
      if (used === null) return null;
      if (used <= this.usedBefore + slack) return true;
      if (performance.now() > limit) return false;
      await delay(pauseMs);
    }
  }
}

/** Of all of them together; null where not each can be asked. */
async function usedBytes(gpus: readonly number[]): Promise<number | null> {
  const found = (await readGpus()).filter(({ index }) => gpus.includes(index));
  return found.length === gpus.length ? found.reduce((sum, { usedBytes }) => sum + usedBytes, 0) : null;
}
