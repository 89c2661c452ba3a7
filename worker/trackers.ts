/** The trackers that runs may be told to: one program each, for all runs of this worker. */
import type { RunConfig } from '../contracts/run-config.ts';
import {
  type ChosenTracker,
  chosenTrackers,
  experimentOf,
  type TrackerName,
  trackerConfig,
} from '../contracts/trackers.ts';
import { SeenClaims, Tracker } from '../observers/tracker.ts';
import { deadline } from './deadline.ts';
import { TrackerProgram, TrackerRefused } from './tracker-program.ts';
import { type KnownTracker, knownTrackers } from './tracker-settings.ts';

/** What a tracker says to being told of runs. */
export type TrackerAnswer = { kind: 'takes' } | { kind: 'refuses' | 'unavailable'; why: string };

/** With the environment of its client, which may have to be installed. */
const longestAskMs = 5 * 60_000;
/** A server that does not answer makes whoever asks wait: a form is checked as somebody types, and many runs may start. */
const answerMs = 60_000;

export interface TrackersOptions {
  /** Of runs that choose for themselves none and not none. */
  defaults: readonly TrackerName[];
  /** What has the address and the key of each. */
  env: NodeJS.ProcessEnv;
  onProgress?: ((tracker: TrackerName, doing: string) => void) | undefined;
}

export class Trackers {
  readonly #known: ReadonlyMap<TrackerName, KnownTracker>;
  readonly #programs = new Map<TrackerName, TrackerProgram>();
  readonly #claims = new SeenClaims();
  /** By tracker and experiment. */
  readonly #answers = new Map<string, { answer: TrackerAnswer; until: number }>();
  readonly #options: TrackersOptions;

  constructor(options: TrackersOptions) {
    this.#options = options;
    this.#known = knownTrackers(options.env);
  }

  /** Those of a run. Whether this worker can tell them is another question. */
  chosen({ trackers }: Pick<RunConfig, 'trackers'>): ChosenTracker[] {
    const defaults = () => this.#options.defaults.map((name) => trackerConfig({ name, experiment: null }));
    return chosenTrackers(trackers ?? defaults()).map((one) => {
      const { experiment = null, entity } = this.#known.get(one.name) ?? {};
      const whose = one.entity ?? entity;
      return { ...one, experiment: one.experiment ?? experiment, ...(whose === undefined ? {} : { entity: whose }) };
    });
  }

  /** Fills in what this worker would choose, so that every other worker tells the same. */
  settled(config: RunConfig): RunConfig {
    const { trackers } = config;
    if (trackers === undefined && this.#options.defaults.length === 0) return config;
    return { ...config, trackers: this.chosen(config).map(trackerConfig) };
  }

  /** Whether it takes what it is told of a run of this project. Throws the signal's reason. */
  async ask(chosen: ChosenTracker, project: string, signal: AbortSignal): Promise<TrackerAnswer> {
    const experiment = experimentOf(chosen, project);
    const asked = JSON.stringify([chosen.name, experiment]);
    const now = performance.now();
    for (const [key, { until }] of this.#answers) if (until <= now) this.#answers.delete(key);
    const known = this.#answers.get(asked);
    if (known) return known.answer;
    const answer = await this.#askNow(chosen, experiment, signal);
    // What is wrong is put right at once.
    if (answer.kind !== 'refuses') this.#answers.set(asked, { answer, until: performance.now() + answerMs });
    return answer;
  }

  async #askNow(chosen: ChosenTracker, experiment: string, signal: AbortSignal): Promise<TrackerAnswer> {
    try {
      const { source } = this.get(chosen);
      const within = deadline(longestAskMs, signal, `${chosen.name} did not answer`);
      await source.ask({ do: 'check', experiment }, within);
      return { kind: 'takes' };
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      return { kind: error instanceof TrackerRefused ? 'refuses' : 'unavailable', why };
    }
  }

  /** Why this worker cannot tell it; null: it can. */
  problem(name: TrackerName): string | null {
    const known = this.#known.get(name);
    return known ? known.problem : `EPOCHAL_TRACKER_FILES names no ${name}_tracker.py`;
  }

  /** Throws where this worker cannot tell it, with what is missing: another one of the pool may. */
  get({ name, experiment, entity }: ChosenTracker): Tracker {
    const known = this.#known.get(name);
    const problem = this.problem(name);
    if (!known || problem !== null) throw new Error(`this worker cannot tell ${name}: ${problem}`);
    const { file, environment } = known;
    const { onProgress } = this.#options;
    const program =
      this.#programs.get(name) ??
      new TrackerProgram({ file, environment, onProgress: (doing) => onProgress?.(name, doing) });
    this.#programs.set(name, program);
    return new Tracker(name, program, experiment, this.#claims, entity);
  }

  /** Programs end once they have answered. */
  close(): void {
    for (const program of this.#programs.values()) program.close();
  }
}
