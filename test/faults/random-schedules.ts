/**
 * Plays random schedules of faults and requests against running trainings. When a thing happens follows from the progress of
 * the runs, never from a clock.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeOf } from '../../contracts/life.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import type { MlflowServer } from '../observers/servers/mlflow-ready.ts';
import { ByHand } from '../support/by-hand.ts';
import { type ResetPoint, resetRun } from '../support/reset-run.ts';
import { until } from '../support/until.ts';
import { checkLanded, type Landed } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import { FaultRun } from './fault-run.ts';
import { FaultServer } from './fault-server.ts';
import { FaultyS3 } from './faulty-s3.ts';
import { HarmedWorkers } from './harmed-workers.ts';
import { isContained, killProcess, supervisorOf, trainerOf } from './launched.ts';
import { OtherNamespace } from './other-workers.ts';
import type { FaultKind, Schedule, Step } from './schedule.ts';
import { untilItAnswers } from './until-it-answers.ts';

export interface ScheduleResult {
  schedule: Schedule;
  /** Steps that happened: a run that was over by then was spared. */
  happened: FaultKind[];
  violations: string[];
}

/** One server and two workers that many schedules share, one schedule after the other. */
export class Arena {
  private constructor(
    readonly server: FaultServer,
    readonly hosts: FaultHosts,
    readonly otherNamespace: OtherNamespace,
    readonly s3: FaultyS3 | null,
  ) {}

  /** `mlflow`: its runs are told there, and compared with that. */
  static async open(mlflow: MlflowServer | null = null): Promise<Arena> {
    const server = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-fault-server-')));
    const s3 = await FaultyS3.open();
    const hosts = await FaultHosts.open(server.address, { mlflow, ...(s3 ? { onDisk: s3.onDisk } : {}) });
    const env = s3?.environment ?? {};
    const otherNamespace = await OtherNamespace.of(hosts, env);
    await Promise.all([hosts.worker({ slots: 2, env }), hosts.worker({ slots: 2, env })]);
    return new Arena(server, hosts, otherNamespace, s3);
  }

  async close(): Promise<void> {
    await this.otherNamespace.close();
    await this.hosts.close();
    await this.server.stop();
    await this.s3?.close();
  }

  /** Plays the schedule, and checks every run of it. `tell` gets a line for each thing that happens. */
  async play(schedule: Schedule, tell: (line: string) => void = () => undefined): Promise<ScheduleResult> {
    const play = new Play(this, schedule, tell);
    return play.run();
  }
}

class Play {
  readonly #arena: Arena;
  readonly #schedule: Schedule;
  readonly #tell: (line: string) => void;
  readonly #runs: FaultRun[] = [];
  readonly #happened: FaultKind[] = [];
  readonly #violations: string[] = [];
  readonly #over = new Set<FaultRun>();
  readonly #killed = new Set<FaultRun>();
  /** What was asked of a run that may end it before its time. */
  readonly #asked = new Map<FaultRun, 'stop' | 'cancel'>();
  /** What a reset ended: each has to land what it left, beside the life that goes on. */
  readonly #before: FaultRun[] = [];
  readonly #workers: HarmedWorkers;

  constructor(arena: Arena, schedule: Schedule, tell: (line: string) => void) {
    this.#arena = arena;
    this.#schedule = schedule;
    this.#tell = tell;
    this.#workers = new HarmedWorkers(arena.hosts, {
      ...{ runs: this.#runs, violations: this.#violations, tell },
      hasEnded: (run) => this.#over.has(run),
      isOver: (run) => this.#isOver(run),
      look: () => this.#rememberTrainers(),
      killTrainer: (run) => this.#killTrainer(run),
    });
  }

  async run(): Promise<ScheduleResult> {
    const { seed, configs, steps } = this.#schedule;
    const { hosts } = this.#arena;
    const s3 = this.#schedule.store === 's3' ? this.#arena.s3 : null;
    const store = s3?.begin();
    for (const config of configs) this.#runs.push(await hosts.start(store ? { ...config, store } : config));
    for (const run of this.#runs) this.#follow(run);
    try {
      for (const step of steps) await this.#step(step);
      await this.#workers.bringBack();
      for (const run of this.#runs) {
        await until(`${run.place} ends`, () => this.#isOver(run), 480);
        this.#expect(run, await checkLanded(run));
      }
      for (const life of this.#before) {
        if (!(await this.#hasPlace(life))) continue;
        const { violations } = await checkLanded(life, 480, { how: 'terminated', receipt: null });
        this.#violations.push(...violations);
      }
      this.#violations.push(...(await this.#arena.otherNamespace.violations()));
      this.#violations.push(...(await this.#workers.storeViolations()));
      await this.#expectIdle();
    } catch (error) {
      this.#violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      await this.#workers.bringBack();
    }
    await this.#arena.otherNamespace.leave();
    if (s3) this.#tell(`  S3: ${s3.end()}`);
    return {
      schedule: this.#schedule,
      happened: this.#happened,
      violations: this.#violations.map((one) => `seed ${seed}: ${one}`),
    };
  }

  #follow(run: FaultRun): void {
    void run.handle.result().then(
      () => this.#over.add(run),
      (error: Error) => error.name === 'WorkflowFailedError' && this.#over.add(run),
    );
  }

  /** A life after a reset hears again what the one before was asked, and may have paused for good by that: it is resumed. */
  async #isOver(run: FaultRun): Promise<boolean> {
    if (this.#over.has(run)) return true;
    const isPaused = async () => (await run.view().catch(() => null))?.detail === 'training.paused';
    if (run.place !== run.id && (await isPaused())) await this.#request(run, 'resume');
    return false;
  }

  /** One that was reset again before it had a place of its own has nothing to land: what it knew of is the life's before. */
  async #hasPlace(life: FaultRun): Promise<boolean> {
    if (life.place === life.id) return true;
    const { place } = await life.until('tells its place', () => true);
    return place === life.place;
  }

  async #step({ run: index, epoch, batch, kind, pick }: Step): Promise<void> {
    const run = this.#runs[index];
    if (!run || !(await this.#comesTo(run, epoch, batch))) return;
    this.#tell(`  ${run.id} in batch ${batch} of epoch ${epoch}: ${kind}`);
    this.#happened.push(kind);
    await this.#do(kind, run, pick);
  }

  /** False when the run is over before. */
  async #comesTo(run: FaultRun, epoch: number, batch: number): Promise<boolean> {
    const arrived = await until(
      `${run.id} comes to batch ${batch} of epoch ${epoch}`,
      async () => {
        await this.#rememberTrainers();
        if (await this.#isOver(run)) return 'over';
        const now = await run.progress();
        // What publishes trains no more, and may have to wait for a worker that is away.
        if (now === null) return (await run.view().catch(() => null))?.state === 'uploading' ? 'over' : null;
        return now.epoch > epoch || (now.epoch === epoch && (now.phase !== 'train' || now.batch >= batch))
          ? 'there'
          : null;
      },
      // A life that was reset waits up to five minutes for what is on a host alone that is kept away.
      600,
    ).catch(async (error: Error) => {
      const view = await run.view().catch(() => null);
      throw new Error(
        `${error.message} ${JSON.stringify(view && { detail: view.detail, position: view.position, events: view.events })}`,
      );
    });
    return arrived === 'there';
  }

  async #do(kind: FaultKind, run: FaultRun, pick: number): Promise<void> {
    const { server } = this.#arena;
    switch (kind) {
      case 'stop':
        await this.#request(run, 'stop', { mode: 'batch' });
        return;
      case 'second stop':
        await this.#request(run, 'stop', { mode: 'batch' });
        await this.#request(run, 'stop', { mode: 'batch' });
        return;
      case 'cancel':
        this.#asked.set(run, 'cancel');
        return untilItAnswers(() => run.handle.cancel());
      case 'pause and resume':
        return this.#pauseAndGoOn(run);
      case 'pause, then stop':
        await this.#request(run, 'pause');
        await this.#request(run, 'stop', { mode: 'batch' });
        return;
      case 'trainer killed':
        return this.#killTrainer(run);
      case 'supervisor killed': {
        const folder = this.#folder(run);
        const supervisor = folder && (await supervisorOf(folder));
        if (supervisor) killProcess(supervisor.pid);
        // A container ends with its first process.
        if (isContained) this.#killed.add(run);
        return;
      }
      case 'second namespace':
        return this.#arena.otherNamespace.start(run);
      case 'server killed':
        await server.kill();
        return server.restart();
      case 'activity failed':
        return this.#byHand(run, pick, (hand, id) => hand.fail(id));
      case 'activity completed':
        return this.#byHand(run, pick, (hand, id) => hand.complete(id));
      case 'activity paused':
        return this.#byHand(run, pick, (hand, id) => hand.pause(id));
      case 'activity reset':
        return this.#byHand(run, pick, (hand, id) => hand.reset(id));
      case 'run reset to its first task':
        return this.#reset(run, 'first');
      case 'run reset to a task in the middle':
        return this.#reset(run, { part: pick });
      case 'run reset to its last task':
        return this.#reset(run, 'last');
      default: {
        const worker = await this.#current(run);
        if (worker) await this.#workers.harm(kind, worker, run, pick);
      }
    }
  }

  async #reset(run: FaultRun, point: ResetPoint): Promise<void> {
    const { hosts } = this.#arena;
    const execution = await resetRun(hosts.client, run.id, point);
    const handle = hosts.client.workflow.getHandle(run.id, execution);
    const life = new FaultRun(handle, run.config, hosts, placeOf(run.id, [execution]));
    this.#before.push(run);
    this.#runs[this.#runs.indexOf(run)] = life;
    this.#follow(life);
    const asked = this.#asked.get(run);
    if (asked) this.#asked.set(life, asked);
    if (this.#killed.has(run)) this.#killed.add(life);
  }

  /** To one of the activities that are under way. */
  async #byHand(run: FaultRun, pick: number, act: (hand: ByHand, id: string) => Promise<void>): Promise<void> {
    const hand = new ByHand(this.#arena.hosts.client, run.id);
    try {
      const started = (await hand.activities()).filter(({ isStarted }) => isStarted);
      const one = started[Math.floor(pick * started.length)];
      this.#tell(`    of ${started.map(({ type }) => type).join(', ') || 'none'}: ${one?.type}`);
      if (one) await act(hand, one.id);
    } catch (error) {
      // It ended by itself a moment ago.
      this.#tell(`    that was refused: ${error}`);
    }
  }

  async #killTrainer(run: FaultRun): Promise<void> {
    const folder = this.#folder(run);
    const trainer = folder && (await trainerOf(folder));
    if (trainer) killProcess(trainer.pid);
    this.#killed.add(run);
  }

  #folder(run: FaultRun): RunFolder | null {
    const holder = this.#holder(run);
    return holder ? new RunFolders(holder.dataFolder).of(run.place) : null;
  }

  async #pauseAndGoOn(run: FaultRun): Promise<void> {
    // One that stops already pauses no more, and may land only once a host that is kept away is back.
    if (!(await this.#request(run, 'pause'))) return;
    await until(
      `${run.id} pauses or ends`,
      async () => this.#over.has(run) || (await run.view().catch(() => null))?.detail === 'training.paused',
    );
    await this.#request(run, 'resume');
  }

  /** False when it comes too late and is refused, which is all right. */
  async #request(run: FaultRun, name: string, ...args: unknown[]): Promise<boolean> {
    try {
      await untilItAnswers(() => run.update(name, ...args));
      if (name === 'stop') this.#asked.set(run, 'stop');
      return true;
    } catch (error) {
      this.#tell(
        `    ${name} was refused: ${error instanceof Error ? `${error.message} ${error.cause ?? ''}` : error}`,
      );
      return false;
    }
  }

  /** The worker that the run's session is on, as far as its disk tells. */
  #holder(run: FaultRun): FaultWorker | undefined {
    return this.#arena.hosts.workers.find((worker) => run.lastSeenOn === worker);
  }

  async #current(run: FaultRun): Promise<FaultWorker | undefined> {
    await this.#rememberTrainers();
    const holder = this.#holder(run);
    return holder?.isAlive ? holder : this.#arena.hosts.workers.find((worker) => worker.isAlive);
  }

  async #rememberTrainers(): Promise<void> {
    for (const run of this.#runs) await run.look();
  }

  #expect(run: FaultRun, { how, receipt, violations }: Landed): void {
    this.#violations.push(...violations);
    const asked = this.#asked.get(run);
    this.#tell(
      `  ${run.id}: ${how}, ${receipt.outcome}, ${receipt.batches.trained} batches, ${receipt.batches.wasted} wasted`,
    );
    const { cause } = receipt;
    // Whose trainer was killed before it had saved for a stop lost what the stop should keep: that is told, not hidden.
    const isKilledWhileStopping =
      asked && this.#killed.has(run) && cause.kind === 'failure' && cause.failure.kind === 'trainerKilled';
    if ((receipt.outcome === 'failed' && !isKilledWhileStopping) || receipt.outcome === 'lost') {
      this.#violations.push(`${run.id}: ${receipt.outcome}: ${JSON.stringify(receipt.cause)}`);
    }
    if (receipt.outcome === 'stopped' && !asked)
      this.#violations.push(`${run.id}: stopped, though nobody asked for it`);
    if ((how === 'cancelled') !== (asked === 'cancel' && receipt.outcome === 'stopped')) {
      this.#violations.push(`${run.id}: closed as ${how}, outcome ${receipt.outcome}, asked for ${asked}`);
    }
  }

  /** Nobody holds a slot any more. */
  async #expectIdle(): Promise<void> {
    for (const worker of this.#arena.hosts.workers) {
      const { slots } = await worker.status();
      if (slots.taken.length > 0) this.#violations.push(`slots of ${worker.host} are still taken: ${slots.taken}`);
    }
  }
}
