/** Which devices a slot stands for, as the trainer's environment tells it. */
import type { GpuUse } from '../contracts/system-metrics.ts';
import { GpuMemory } from './gpu-memory.ts';
import { type Gpu, readDriver, readGpus } from './gpus.ts';
import type { Slot } from './slots.ts';
import { GpuReadings } from './system/gpu-readings.ts';

/** The GPUs of a slot, for who watches its session. */
export interface SlotGpus {
  /** As it was before the trainer started; null where it cannot be told whose it is. */
  memory: GpuMemory | null;
  /** Until `signal`; answers what they did last. */
  watch: (signal: AbortSignal) => () => GpuUse[];
}

export const noGpus: SlotGpus = { memory: null, watch: () => () => [] };

export class Devices {
  readonly #readings = new GpuReadings();

  /** `driver`: its version. */
  constructor(
    readonly gpus: readonly Gpu[],
    readonly driver: string | null = null,
  ) {}

  static async read(): Promise<Devices> {
    const gpus = await readGpus();
    return new Devices(gpus, gpus.length > 0 ? await readDriver() : null);
  }

  /** For the launch of its trainer: by their indexes, and as an environment that chooses among all of the host. */
  of(slot: Slot, slots: number): { gpus: number[]; environment: NodeJS.ProcessEnv } {
    return { gpus: this.#gpusOf(slot, slots), environment: this.environment(slot, slots) };
  }

  /** Without GPUs the trainer sees what the machine has. `slots`: how many this host has. */
  environment(slot: Slot, slots: number): NodeJS.ProcessEnv {
    const gpus = this.#gpusOf(slot, slots);
    return gpus.length > 0 ? { CUDA_VISIBLE_DEVICES: gpus.join(',') } : {};
  }

  /** The memory of the slot's GPUs; null without one, and where several slots share it: nobody could tell whose it is. */
  async memory(slot: Slot, slots: number): Promise<GpuMemory | null> {
    return slots <= this.gpus.length ? GpuMemory.read(this.#gpusOf(slot, slots)) : null;
  }

  /** What they do, whoever uses them. */
  watch(slot: Slot, slots: number): SlotGpus['watch'] {
    return (signal) => this.#readings.watch(this.#gpusOf(slot, slots), signal);
  }

  /** GPUs are dealt round the slots, so that fewer slots have several each; more slots than GPUs share them. */
  #gpusOf(slot: Slot, slots: number): number[] {
    const dealt = this.gpus.filter((_, position) => position % slots === slot.index);
    const shared = this.gpus.filter((_, position) => position === slot.index % this.gpus.length);
    return (dealt.length > 0 ? dealt : shared).map(({ index }) => index);
  }
}
