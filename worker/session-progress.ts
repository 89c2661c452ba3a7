/** How far a session has come, as its trainer tells: what is waited for, and what its end is told by. */
import type { Logger } from 'pino';
import { isBefore, type Position } from '../contracts/checkpoint.ts';
import type { EarlyEnd, TrainerEvent } from '../contracts/protocol.ts';

/** A session that a worker before this one opened, as its run folder tells. */
export interface FoundSession {
  startedAt: string;
  resumedFrom: Position | null;
  versions: Record<string, string>;
  devices: string[];
  endedEarly: EarlyEnd | null;
}

export class SessionProgress {
  isReady = false;
  resumedFrom: Position | null = null;
  versions: Record<string, string> = {};
  devices: string[] = [];
  endedEarly: EarlyEnd | null = null;
  /** Since when its set-up has not moved, by the monotonic clock. */
  setUpMovedAt = performance.now();
  /** Hears how far the set-up is. */
  onSetUp: (doing: string, counted: { done: number; total: number }) => void = () => undefined;
  epochsDone: number;
  /** A checkpoint within an epoch landed that no report has told yet. */
  hasNews = false;
  /** Furthest batch that was trained, checkpointed or not; null while nobody knows. */
  reached: Position | null = { epoch: 0, batch: 0 };
  batchesPerEpoch: number | undefined;

  /** `found`: it trains, and who heard it so far is gone; what matters of that is in its folder. */
  constructor(
    epochsDone: number,
    private readonly log: Logger,
    found?: FoundSession,
  ) {
    this.epochsDone = epochsDone;
    if (!found) return;
    const { resumedFrom, versions, devices, endedEarly } = found;
    Object.assign(this, { resumedFrom, versions, devices, endedEarly });
    this.isReady = this.hasNews = true;
    this.reached = null;
  }

  note(event: TrainerEvent): void {
    switch (event.type) {
      case 'hello':
        this.versions = event.versions;
        this.devices = event.devices.map(({ name }) => name);
        break;
      case 'setUpProgress':
        this.setUpMoves();
        this.onSetUp(event.doing, { done: event.done, total: event.total });
        break;
      case 'ready':
        this.isReady = true;
        this.resumedFrom = event.resumedFrom;
        this.reached = event.resumedFrom ?? this.reached;
        break;
      case 'batch':
        if (event.phase === 'train') this.#trained({ epoch: event.epoch - 1, batch: event.batch });
        break;
      case 'epoch':
        this.log.info({ epoch: event.epoch, metrics: event.metrics }, 'epoch');
        this.landed(event.epoch);
        this.batchesPerEpoch = event.batches;
        // Its checkpoint landed while the next epoch trained: batches of that one may have been told before.
        if (this.reached === null || isBefore(this.reached, { epoch: event.epoch, batch: 0 })) {
          this.reached = { epoch: event.epoch, batch: 0 };
        }
        break;
      case 'endedEarly':
        this.log.info({ epoch: event.epoch }, `the trainer ends early: ${event.reason}`);
        this.endedEarly = { epoch: event.epoch, reason: event.reason };
        break;
      case 'checkpoint':
        if (event.checkpoint.batch > 0) this.hasNews = true;
        break;
      case 'failed':
        this.log.warn({ kind: event.kind, traceback: event.traceback }, event.message);
        break;
      default:
    }
  }

  setUpMoves(): void {
    this.setUpMovedAt = performance.now();
  }

  /** So many epochs are complete and on its disk, whoever has told. */
  landed(epoch: number): void {
    this.epochsDone = Math.max(this.epochsDone, epoch);
  }

  #trained(position: Position): void {
    const before = this.reached;
    // The last batch of an epoch is always told, and the next epoch may begin before the end of this one is.
    if (before && position.epoch > before.epoch && before.batch > 0) this.batchesPerEpoch = before.batch;
    this.reached = position;
  }
}
