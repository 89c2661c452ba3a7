/** What counts as a hang: learned from the run's own batches, by phase, between a floor and a ceiling. */
import { describe, expect, it } from 'vitest';
import type { Phase } from '../../contracts/protocol.ts';
import { HangWatch } from '../../worker/hang-watch.ts';

class Clocked {
  now = 0;
  readonly watch = new HangWatch({ hangFloorSeconds: 10, hangCeilingSeconds: 100 }, () => this.now);

  phase(phase: Phase): void {
    this.watch.note({ type: 'phase', phase, epoch: 1 });
  }

  /** Batches that take so many seconds each, in the phase under way. */
  batches(...seconds: number[]): void {
    for (const [index, one] of seconds.entries()) {
      this.now += one * 1000;
      const phase = this.watch.phase === 'validate' ? 'validate' : 'train';
      this.watch.note({ type: 'batch', phase, epoch: 1, batch: index + 1, batches: null, metrics: {} });
    }
  }
}

const warmUp = [30, 30, 30, 30, 30];

describe('the limit', () => {
  it('is the ceiling until the run is warm, and its slow first batches teach nothing', () => {
    const run = new Clocked();
    run.phase('train');
    expect(run.watch.limitSeconds).toBe(100);
    run.batches(...warmUp);
    run.batches(2);
    expect(run.watch.limitSeconds).toBe(16);
  });

  it('is several times the longest batch, never below the floor and never above the ceiling', () => {
    const run = new Clocked();
    run.phase('train');
    run.batches(...warmUp, 0.1);
    expect(run.watch.limitSeconds).toBe(10);
    run.batches(3, 0.1);
    expect(run.watch.limitSeconds).toBe(24);
    run.batches(50);
    expect(run.watch.limitSeconds).toBe(100);
  });

  it('is learned for each phase apart', () => {
    const run = new Clocked();
    run.phase('train');
    run.batches(...warmUp, 4);
    run.phase('validate');
    expect(run.watch.limitSeconds).toBe(100);
    run.batches(1, 1, 1, 1, 1, 1.5);
    expect(run.watch.limitSeconds).toBe(12);
    run.phase('train');
    expect(run.watch.limitSeconds).toBe(32);
  });

  it('of a save is the ceiling, and is none where another deadline holds', () => {
    const run = new Clocked();
    run.phase('train');
    run.batches(...warmUp, 1);
    run.phase('save');
    expect(run.watch.limitSeconds).toBe(100);
    run.phase('setUp');
    expect(run.watch.limitSeconds).toBeNull();
    run.now += 1e9;
    expect(run.watch.hangs).toBe(false);
  });
});

describe('a hang', () => {
  it('is silence beyond the limit, and any sign of life ends it', () => {
    const run = new Clocked();
    run.phase('train');
    run.batches(...warmUp, 1);
    run.now += 10_000;
    expect(run.watch.hangs).toBe(false);
    run.now += 1;
    expect(run.watch.hangs).toBe(true);
    run.watch.alive();
    expect(run.watch.hangs).toBe(false);
  });

  it('is no save that grows, however long it takes', () => {
    const run = new Clocked();
    run.phase('train');
    run.batches(...warmUp, 1);
    run.phase('save');
    for (let minute = 0; minute < 60; minute++) {
      run.now += 60_000;
      expect(run.watch.hangs).toBe(false);
      run.watch.alive();
    }
    run.now += 100_001;
    expect(run.watch.hangs).toBe(true);
  });

  it('is no time in which the worker itself stood still: what the trainer said meanwhile is still to be read', () => {
    const run = new Clocked();
    run.phase('train');
    run.batches(...warmUp, 1);
    run.watch.pause();
    run.now += 60_000;
    run.watch.look();
    expect(run.watch.hangs).toBe(false);
    // From here on it is heard again.
    for (let looks = 0; looks < 21; looks++) {
      run.watch.pause();
      run.now += 500;
      run.watch.look();
    }
    expect(run.watch.hangs).toBe(true);
  });

  it('is not learned from such a time, whether the trainer is heard before the next look or after it', () => {
    const run = new Clocked();
    run.phase('train');
    run.batches(...warmUp, 1);
    run.watch.pause();
    run.batches(60, 0);
    run.watch.look();
    expect(run.watch.limitSeconds).toBe(10);
    run.watch.pause();
    run.now += 60_000;
    run.watch.look();
    run.batches(0);
    expect(run.watch.limitSeconds).toBe(10);
  });

  it('may come while the watch itself is busy, which is no pause', () => {
    const run = new Clocked();
    run.phase('save');
    run.watch.pause();
    run.now += 500;
    run.watch.look();
    run.now += 100_001;
    expect(run.watch.hangs).toBe(true);
  });
});
