/**
 * GPU slots of this host. A session holds one from before its trainer starts until its process group is gone.
 *
 * The pool's queue is polled only while a slot is free (`poolSlots`), so that a busy host takes no run that an idle
 * one could train: a permit to poll reserves a slot, and a session that comes of it takes the permit over.
 */
import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit } from '@temporalio/worker';

export interface Slot {
  /** 0-based; which GPUs it stands for, `Devices` knows. */
  readonly index: number;
}

/** A slot that its holder has until it gives it back, also where no trainer comes of it. */
export interface Lease extends Slot {
  /** Once; again changes nothing. */
  release(): void;
}

export class Slots {
  readonly #holders = new Map<number, string>();
  /** Polls under way, each of which may bring a session. */
  #permits = 0;
  /** Permits that became sessions: their slot is counted among the holders by now. */
  #converted = 0;
  #closed = false;
  readonly #waiting = new Set<() => void>();

  /** `onFull`: the last slot was taken, by the last of these runs. */
  constructor(
    readonly total: number,
    readonly onFull: (runs: readonly string[]) => void = () => undefined,
  ) {}

  get taken(): string[] {
    return [...this.#holders.values()];
  }

  get #free(): number {
    return this.total - this.#holders.size;
  }

  /** A slot for `run`, or null when all are taken. `byPermit`: the work came by a poll of the pool's queue. */
  reserve(run: string, byPermit: boolean): Lease | null {
    if (this.#closed) return null;
    for (let index = 0; index < this.total; index++) {
      if (this.#holders.has(index)) continue;
      const lease = this.#lease(run, index);
      if (byPermit) {
        this.#permits--;
        this.#converted++;
      }
      if (this.#free === 0) this.onFull(this.taken);
      return lease;
    }
    return null;
  }

  /** That of a trainer which the worker before has started: its own, where that is free, for it has the devices of that one. */
  reserveAgain(run: string, index: number | undefined): Lease | null {
    if (index === undefined || index >= this.total || this.#holders.has(index)) return this.reserve(run, false);
    return this.#lease(run, index);
  }

  /** No session is taken any more: the worker is going down. */
  close(): void {
    this.#closed = true;
  }

  #lease(run: string, index: number): Lease {
    this.#holders.set(index, run);
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders.delete(index);
      this.#wake();
    };
    return { index, release };
  }

  /** For the pool queue's worker: one poll for each free slot. */
  poolSlots(): CustomSlotSupplier<ActivitySlotInfo> {
    return {
      type: 'custom',
      reserveSlot: (_, signal) => this.#reserve(signal),
      tryReserveSlot: () => null,
      markSlotUsed: () => undefined,
      releaseSlot: () => {
        if (this.#converted > 0) this.#converted--;
        else this.#permits--;
        this.#wake();
      },
    };
  }

  async #reserve(signal: AbortSignal): Promise<SlotPermit> {
    while (this.#closed || this.#permits >= this.#free) {
      await new Promise<void>((resolve, reject) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', abort);
          resolve();
        };
        const abort = () => {
          this.#waiting.delete(wake);
          reject(signal.reason ?? new Error('no longer waiting for a slot'));
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', abort, { once: true });
        if (signal.aborted) abort();
      });
    }
    this.#permits++;
    return {};
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
