/** Which device a slot stands for, as the trainer's environment tells it. */
import { type Gpu, readGpus } from './gpus.ts';
import type { Slot } from './slots.ts';

export class Devices {
  private constructor(readonly gpus: readonly Gpu[]) {}

  static async read(): Promise<Devices> {
    return new Devices(await readGpus());
  }

  /** Slots are dealt round the GPUs; without GPUs the trainer sees what the machine has. */
  environment(slot: Slot): NodeJS.ProcessEnv {
    const gpu = this.gpus[slot.index % Math.max(1, this.gpus.length)];
    return gpu ? { CUDA_VISIBLE_DEVICES: String(gpu.index) } : {};
  }
}
