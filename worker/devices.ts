/** Which device a slot stands for, as the trainer's environment tells it. */
import { GpuMemory } from './gpu-memory.ts';
import { type Gpu, readGpus } from './gpus.ts';
import type { Slot } from './slots.ts';

export class Devices {
  private constructor(readonly gpus: readonly Gpu[]) {}

  static async read(): Promise<Devices> {
    return new Devices(await readGpus());
  }

  /** Slots are dealt round the GPUs; without GPUs the trainer sees what the machine has. */
  environment(slot: Slot): NodeJS.ProcessEnv {
    const gpu = this.#gpuOf(slot);
    return gpu ? { CUDA_VISIBLE_DEVICES: String(gpu.index) } : {};
  }

  /** The memory of the slot's GPU; null without one, and where several of `slots` share it: nobody could tell whose it is. */
  async memory(slot: Slot, slots: number): Promise<GpuMemory | null> {
    const gpu = this.#gpuOf(slot);
    return gpu && slots <= this.gpus.length ? GpuMemory.read(gpu.index) : null;
  }

  #gpuOf(slot: Slot): Gpu | undefined {
    return this.gpus[slot.index % Math.max(1, this.gpus.length)];
  }
}
