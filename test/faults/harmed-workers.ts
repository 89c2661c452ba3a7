/** What a schedule of faults does to workers: killed, drained, handed over, kept away, doubled, given another store. */

import { handOverSignal } from '../../worker/worker-lock.ts';
import { until } from '../support/until.ts';
import type { FaultHosts, FaultWorker } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';
import { OtherStore, secondWorker } from './other-workers.ts';
import type { FaultKind } from './schedule.ts';

/** The schedule that is played. */
export interface Play {
  /** Those that go on; a reset puts another life in the place of one. */
  runs: readonly FaultRun[];
  violations: string[];
  tell: (line: string) => void;
  hasEnded: (run: FaultRun) => boolean;
  /** The same, and resumes a life that paused for good. */
  isOver: (run: FaultRun) => Promise<boolean>;
  /** Remembers where each run trains. */
  look: () => Promise<void>;
  killTrainer: (run: FaultRun) => Promise<void>;
}

export class HarmedWorkers {
  readonly #hosts: FaultHosts;
  readonly #play: Play;
  #late: FaultWorker[] = [];
  /** Workers that were ended once: of these a run may hear late. */
  readonly #harmed = new Set<FaultWorker>();
  readonly #otherStores: OtherStore[] = [];

  constructor(hosts: FaultHosts, play: Play) {
    this.#hosts = hosts;
    this.#play = play;
  }

  /** What was put into stores that no run should have written to. */
  async storeViolations(): Promise<string[]> {
    const found: string[] = [];
    for (const store of this.#otherStores) found.push(...(await store.violations()));
    return found;
  }

  async harm(kind: FaultKind, worker: FaultWorker, run: FaultRun, pick: number): Promise<void> {
    if (kind === 'second worker') return this.#addSecond(worker, run);
    this.#harmed.add(worker);
    switch (kind) {
      case 'another store':
        return this.#withAnotherStore(worker, run, pick);
      case 'worker killed':
        await worker.kill();
        return worker.start();
      case 'worker killed, back late':
        await worker.kill();
        return this.#backLate(worker);
      case 'worker handed over':
        await this.#handOver(worker);
        return worker.start();
      case 'worker handed over, back late':
        await this.#handOver(worker);
        return this.#backLate(worker);
      case 'trainer killed without its worker':
        await worker.kill();
        await this.#play.killTrainer(run);
        return worker.start();
      case 'worker drained':
        worker.signal('SIGTERM');
        if ((await worker.exited) !== 0)
          this.#play.violations.push(`a drained worker ended with ${await worker.exited}`);
        return this.#backLate(worker);
      case 'worker drained, then ended':
        worker.signal('SIGTERM');
        worker.signal('SIGTERM');
        await worker.exited;
        return this.#backLate(worker);
      default:
    }
  }

  async #handOver(worker: FaultWorker): Promise<void> {
    worker.signal(handOverSignal);
    const code = await worker.exited;
    if (code !== 0) this.#play.violations.push(`a worker that handed over ended with ${code}`);
  }

  /** It is refused, and the run does not notice. */
  async #addSecond(worker: FaultWorker, run: FaultRun): Promise<void> {
    const lost = async () => {
      const view = await run.view().catch(() => null);
      return view?.restarts.filter(({ failure }) => failure?.kind === 'workerLost').length;
    };
    const before = await lost();
    this.#play.violations.push(...(await secondWorker(this.#hosts, worker)));
    const after = await lost();
    if (!this.#harmed.has(worker) && before !== undefined && after !== undefined && after > before)
      this.#play.violations.push(`${run.place} lost its worker when a second one was started`);
  }

  /** It has another store until the run has noticed, or goes on; then it has its own again. */
  async #withAnotherStore(worker: FaultWorker, run: FaultRun, pick: number): Promise<void> {
    // One that is not checked yet names no store, and would rightly have the one of whoever checks it.
    for (const one of this.#play.runs) {
      const isPinned = async () => (await one.view().catch(() => null))?.outputFolder;
      await until(`${one.place} is checked`, async () => this.#play.hasEnded(one) || (await isPinned()));
    }
    const other = await OtherStore.of(this.#hosts, pick, run.config.store === undefined);
    this.#otherStores.push(other);
    const refusals = async () => {
      const { state, detail, restarts } = await run.until('answers', () => true);
      // What pauses, stops or publishes may need the store for that, and waits for it.
      if (state !== 'training' || detail === 'training.paused') return null;
      return restarts.filter(({ failure }) => failure?.kind === 'otherStore').length;
    };
    const before = await refusals();
    await worker.kill();
    const startedAt = new Date().toISOString();
    await worker.start(other.launch);
    const answer = await until(`${run.place} finds another store, or goes on`, async () => {
      await this.#play.look();
      if (await this.#play.isOver(run)) return 'over';
      const progress = await run.progress();
      if (progress !== null && progress.at > startedAt) {
        const { session } = await run.until('answers', () => true);
        return `goes on, on ${session?.host === worker.host ? 'the same' : 'another'} host`;
      }
      const now = await refusals();
      if (now === null || before === null) return 'does not train';
      return now > before && 'refused';
    });
    this.#play.tell(`    another ${other.how}: ${answer}`);
    if (other.isRefused && answer === 'goes on, on the same host')
      this.#play.violations.push(`${run.place} trains on ${worker.host}, which has another store (${other.how})`);
    if (!other.isRefused && answer === 'refused')
      this.#play.violations.push(`${run.place} was refused on ${worker.host}, which has its store, too`);
    await worker.kill();
    await worker.start();
  }

  /** It stays away until the next fault of a worker, or the end: the other one has to do. */
  async #backLate(worker: FaultWorker): Promise<void> {
    await this.bringBack();
    this.#late = [worker];
  }

  async bringBack(): Promise<void> {
    await Promise.all(this.#late.map((worker) => worker.start()));
    this.#late = [];
  }
}
