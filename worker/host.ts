/** This host: everything that activities work with, made once for each worker process. */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Life } from '../contracts/life.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { SalvageInput } from '../contracts/salvage-messages.ts';
import type { ArtifactStore } from '../stores/artifact-store.ts';
import { openStore } from '../stores/open-store.ts';
import { AllowedPaths } from './allowed-paths.ts';
import { DataSets } from './data-sets.ts';
import { Devices } from './devices.ts';
import { KnownStores } from './known-stores.ts';
import { isSuperseded } from './landed.ts';
import { hostId, type RunFolder, RunFolders } from './run-folders.ts';
import type { Runs } from './runs.ts';
import type { LiveSession } from './session.ts';
import { Sessions } from './sessions.ts';
import type { WorkerSettings } from './settings.ts';
import { Slots } from './slots.ts';
import { TrainerCatalog } from './trainer-catalog.ts';
import { Turns } from './turns.ts';

/** Milliseconds. */
const landingCheckEvery = 500;
const decisionMs = 10_000;
const decisionCheckEvery = 20;

interface Limits {
  milliseconds: number;
  every: number;
  tell?: (runs: readonly string[]) => void;
}

export class Host {
  readonly folders: RunFolders;
  readonly trainers: TrainerCatalog;
  readonly dataSets: DataSets;
  readonly knownStores: KnownStores;
  readonly allowedPaths: AllowedPaths;
  readonly slots: Slots;
  readonly sessions: Sessions;
  /** A run's output folder is written by one activity at a time: what keeps, and what publishes at the end. */
  readonly outputs = new Turns();
  /** A run's session is opened by one activity at a time. */
  readonly openings = new Turns();
  /** Set before any queue is served. */
  runs!: Runs;

  private constructor(
    readonly id: string,
    readonly settings: WorkerSettings,
    readonly devices: Devices,
    readonly log: Logger,
  ) {
    this.folders = new RunFolders(settings.dataFolder);
    this.trainers = new TrainerCatalog(settings.trainersFolders, (trainer, doing) =>
      log.info({ trainer }, `Python environment: ${doing}`),
    );
    this.dataSets = new DataSets(id, settings.dataSetsFolders, settings.cacheFolder);
    this.knownStores = new KnownStores(settings.dataFolder);
    this.allowedPaths = new AllowedPaths(settings.allowedPaths);
    this.slots = new Slots(settings.slots ?? Math.max(1, devices.gpus.length), (runs) =>
      log.info({ runs }, `all ${runs.length} slots are taken: other runs of pool ${settings.pool} wait for one`),
    );
    this.sessions = new Sessions(this);
  }

  /** Throws when the data folder cannot be written. */
  static async open(settings: WorkerSettings, log: Logger): Promise<Host> {
    const id = await hostId(settings.dataFolder);
    // What a worker before this one was bringing as it died: nobody else has this data folder.
    await rm(new RunFolders(settings.dataFolder).moving, { recursive: true, force: true });
    return new Host(id, settings, await Devices.read(), log.child({ host: id }));
  }

  /** The life whose workflow asks: it is in the namespace that this worker serves. */
  life(chain: readonly string[]): Life {
    return { namespace: this.runs.namespace, chain: [...chain] };
  }

  storeOf(config: Pick<RunConfig, 'store' | 'storeIdentity'>): ArtifactStore {
    return openStore(config.store ?? this.settings.store, config.storeIdentity);
  }

  /**
   * A session that its activity was forsaken for: when its run was terminated, reset or deleted, nobody will ask for it
   * again, and it ends at its batch boundary. A run that is open comes back for it: false. One that has landed elsewhere
   * gets nothing from here any more; upkeep removes its folder.
   */
  async endIfOver(session: LiveSession): Promise<boolean> {
    if (session.isOver || (await this.runs.isOpen(session.run, session.life).catch(() => true))) return false;
    session.ask('batch');
    // A store that is away cannot tell: the salvage asks again, when it is back.
    if (await isSuperseded(this, session.folder, session.config).catch(() => false)) {
      session.log.warn('the run went on elsewhere and has landed there: its trainer here is stopped');
      await this.sessions.endRun(session.folder.place, session.config.deadlines, new AbortController().signal);
      return true;
    }
    session.log.warn('the run was closed from outside: its trainer is stopped, and what it left is salvaged');
    await this.runs.salvage(this.salvageInput(session.folder));
    return true;
  }

  /** Resolves when no run is being landed whose files are here, or after `seconds`. */
  landed(seconds: number): Promise<void> {
    return this.#waitWhile((run) => this.runs.isLanding(run), this.sessions.own, {
      milliseconds: seconds * 1000,
      every: landingCheckEvery,
      tell: (runs) => this.log.info({ runs }, 'waiting until these runs have landed'),
    });
  }

  /**
   * Resolves when these runs, whose trainers have ended here, have decided what comes next, or after a while. A workflow task
   * that is under way as the worker goes would be lost with it, and the server waits 10 s before it asks another one.
   */
  decided(runs: readonly string[]): Promise<void> {
    const isDeciding = (run: string) => this.runs.isDeciding(run, this.id);
    return this.#waitWhile(isDeciding, runs, { milliseconds: decisionMs, every: decisionCheckEvery });
  }

  /** Asks again until none of the runs goes on with it, or the time is up. Of whom the server cannot tell, none does. */
  async #waitWhile(goesOn: (run: string) => Promise<boolean>, runs: readonly string[], limits: Limits): Promise<void> {
    const end = performance.now() + limits.milliseconds;
    let left = runs;
    while (left.length > 0 && performance.now() < end) {
      const going = await Promise.all(left.map((run) => goesOn(run).catch(() => false)));
      left = left.filter((_, index) => going[index]);
      if (left.length === 0) return;
      limits.tell?.(left);
      await delay(limits.every);
    }
  }

  /** The run folder here tells the rest. */
  salvageInput({ run, place }: Pick<RunFolder, 'run' | 'place'>): SalvageInput {
    return { run, place, chain: null, config: null, ledger: [], host: this.id, pool: this.settings.pool };
  }
}
