/** Watches a trainer for as long as it lives: what it takes of its host, and whether it still moves. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TrainerEvent } from '../contracts/protocol.ts';
import type { Deadlines } from '../contracts/run-config.ts';
import { sizeText } from '../contracts/size-text.ts';
import type { GpuUse } from '../contracts/system-metrics.ts';
import { HangWatch } from './hang-watch.ts';
import type { LaunchedTrainer } from './launchers/launcher.ts';
import type { ProgressMeter } from './progress-meter.ts';
import { folderBytes, type RunFolder } from './run-folders.ts';
import { isBeingSaved } from './snapshots.ts';
import { SystemRecorder } from './system/system-recorder.ts';

/** Milliseconds. */
const measuredEvery = 2_500;
const hangCheckEvery = 500;

export interface WatchParts {
  folder: RunFolder;
  deadlines: Deadlines;
  meter: ProgressMeter;
  /** It is silent for a good reason: it waits for a grant. */
  mayBeSilent: () => boolean;
  /** Milliseconds between two readings of what it takes. */
  measureEvery?: number;
  /** Once: with what is known of it. */
  onHang: (message: string) => void;
  /** What the run folder may take; null: what there is. */
  diskBytes?: number | null;
  /** Again and again while it takes more. */
  onFull?: (message: string) => void;
}

export class TrainerWatch {
  readonly #parts: WatchParts;
  readonly #hangs: HangWatch;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#hangs = new HangWatch(parts.deadlines);
  }

  note(event: TrainerEvent): void {
    this.#parts.meter.note(event);
    this.#hangs.note(event);
  }

  /** It trains already, whatever it does, until it tells its phase: one that never says a word hangs. */
  trains(epoch: number): void {
    this.#hangs.note({ type: 'phase', phase: 'train', epoch });
  }

  /** Something else shows that it moves. */
  alive(): void {
    this.#hangs.alive();
  }

  /** Until `signal`. `gpus`: what those of its slot did last. */
  async watch(trainer: LaunchedTrainer, signal: AbortSignal, gpus: () => GpuUse[] = () => []): Promise<void> {
    await Promise.all([this.#measure(trainer, signal, gpus), this.#lookForHangs(signal)]);
  }

  async #measure(trainer: LaunchedTrainer, signal: AbortSignal, gpus: () => GpuUse[]): Promise<void> {
    const recorder = new SystemRecorder(this.#parts.folder.system, () => trainer.identity?.pid ?? null, gpus);
    const pause = this.#parts.measureEvery ?? measuredEvery;
    while (!signal.aborted) {
      this.#parts.meter.memoryBytes = await recorder.tick();
      await this.#lookForSpace();
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
    await recorder.end();
  }

  async #lookForSpace(): Promise<void> {
    const { folder, diskBytes, onFull } = this.#parts;
    if (diskBytes === null || diskBytes === undefined) return;
    const taken = await folderBytes(folder.path, ({ blocks }) => blocks * 512).catch(() => 0);
    if (taken <= diskBytes) return;
    onFull?.(
      `the run folder takes ${sizeText(taken)}, and a session may have ${sizeText(diskBytes)} (limits.disk of the run, or EPOCHAL_CONTAINER_DISK_GB of the worker)`,
    );
  }

  async #lookForHangs(signal: AbortSignal): Promise<void> {
    let savedBytes = 0;
    let snapshotBytes = 0;
    while (!signal.aborted) {
      this.#hangs.pause();
      await delay(hangCheckEvery, undefined, { signal }).catch(() => undefined);
      this.#hangs.look();
      if (this.#hangs.phase === 'save') {
        const bytes = await folderBytes(this.#parts.folder.checkpoints);
        if (bytes !== savedBytes) this.#hangs.alive();
        savedBytes = bytes;
      }
      if (signal.aborted || this.#parts.mayBeSilent() || !this.#hangs.hangs) continue;
      const isSaving = await isBeingSaved(this.#parts.folder);
      if (isSaving) {
        // Nobody tells of the saving of a snapshot: that it grows is looked at where it is silent for long.
        const bytes = await folderBytes(this.#parts.folder.snapshots);
        if (bytes !== snapshotBytes) this.#hangs.alive();
        snapshotBytes = bytes;
      }
      const limit = isSaving ? this.#hangs.saveLimitSeconds : this.#hangs.limitSeconds;
      const { phase, silentSeconds } = this.#hangs;
      // It has moved while the folder was read, or it saves.
      if (limit === null || silentSeconds <= limit) continue;
      return this.#parts.onHang(
        `no sign of life for ${silentSeconds.toFixed(1)} s in phase ${phase} (limit ${limit.toFixed(1)} s); its stacks are in its log`,
      );
    }
  }
}
