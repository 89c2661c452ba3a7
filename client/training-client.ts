/** The typed client of training runs. Everything here is also what the `epochal` command does. */
import { type Client, WorkflowUpdateStage } from '@temporalio/client';
import { type Asked, askedSchema } from '../contracts/asked.ts';
import type { CheckedConfig, TrainerList } from '../contracts/host-messages.ts';
import type { LiveProgress } from '../contracts/http-answers.ts';
import { runAt } from '../contracts/life.ts';
import { workflowQueue } from '../contracts/queues.ts';
import type { Receipt, StopMode } from '../contracts/receipt.ts';
import type { DraftConfig, RunConfigInput } from '../contracts/run-config.ts';
import {
  type Configure,
  configureSchema,
  type RunView,
  runQuery,
  runViewSchema,
  stopRequestSchema,
  type TrainingRunInput,
  updateNames,
} from '../contracts/run-messages.ts';
import { salvageId } from '../contracts/salvage-messages.ts';
import { Calls } from './calls.ts';
import { endedView } from './ended-view.ts';
import { ConfigError, NoWorkerError, WorkerFailedError } from './errors.ts';
import { parseConfig, parseDraft, parsed, parseName, parsePlace } from './parse-config.ts';
import { type HostAnswer, hostsOfPool, type KeptAnswer, materialsInPool, passingProblem } from './pool-hosts.ts';
import { planRemoval, type Removal, removeRun } from './removed-run.ts';
import { type AskForMaterials, planReproduction, type Reproduction, type ReproductionOptions } from './reproduction.ts';
import { RunFiles } from './run-files.ts';
import type { RunFilter, RunSummary } from './run-filter.ts';
import { newRunId } from './run-ids.ts';
import { listRuns } from './run-list.ts';
import { describeRun } from './run-pages.ts';
import { placesIn, type RunPlaces } from './run-places.ts';
import { queuedBefore, queueOf } from './run-queue.ts';
import { runResult, type WaitOptions } from './run-result.ts';
import { presentSalvage, salvageEnd } from './salvaged.ts';
import { startWorkflow, type WorkflowStart } from './started-workflow.ts';
import { isSilence, typedError } from './temporal-errors.ts';
import { type WatchItem, type WatchOptions, watchRun } from './watch.ts';
import { WorkerQuestions } from './worker-questions.ts';
import { whyUnserved } from './workflow-pollers.ts';

export interface TrainingClientOptions {
  /** How long a question may wait for a worker, in seconds. */
  workerSeconds?: number;
  /** Where `trainingRun` workflows are served. */
  workflowQueue?: string;
}

export interface CheckOptions {
  /** Hears what the worker that checks is doing, where that takes longer than a moment: the first use of a trainer makes its environment. */
  onProgress?: (doing: string) => void;
}

export interface DeepCheckOptions extends CheckOptions {
  /** Every image of the data set is decoded and compared with the others, however long that takes. */
  deep?: boolean;
}

export interface StartOptions extends CheckOptions {
  draft?: boolean;
  /** W3C trace context of whoever asks; the run's own trace links there. */
  traceparent?: string | undefined;
}

export interface StartedRun {
  run: string;
  /** With all defaults filled in; of a draft, what was given. */
  config: DraftConfig;
  /** Null for a draft: its store is not known yet. */
  outputFolder: string | null;
}

export interface RunNow {
  summary: RunSummary;
  progress: LiveProgress[];
  /** While no host has taken it up: its pool, and the runs that come first, the next one of all first. */
  waiting: { pool: string; before: string[] } | null;
}

export type PassedCheck = Extract<CheckedConfig, { ok: true }>;

/**
 * Every method throws ServerUnreachableError and ServerRefusedError; those that need a worker throw NoWorkerError;
 * those about a run throw RunNotFoundError. Other errors are named at the method.
 */
export class TrainingClient {
  readonly #client: Client;
  readonly #calls: Calls;
  readonly #workers: WorkerQuestions;
  readonly #workflowQueue: string;
  readonly #workerSeconds: number;
  /** Files of runs, at the places that `places` names. */
  readonly files: RunFiles;

  /** `client` stays the caller's, who closes its connection. */
  constructor(client: Client, options: TrainingClientOptions = {}) {
    this.#client = client;
    this.#calls = new Calls(client);
    this.#workerSeconds = options.workerSeconds ?? 20;
    this.#workers = new WorkerQuestions(this.#calls, this.#workerSeconds);
    this.files = new RunFiles(this.#workers);
    this.#workflowQueue = options.workflowQueue ?? workflowQueue;
  }

  /**
   * Checks the configuration, on a worker too, and only then starts the run. A draft is not checked by a worker: it waits
   * for `configure` and `train`. Throws ConfigError, RunInUseError and WorkerFailedError; then nothing has started.
   */
  async start(config: RunConfigInput, options?: Omit<StartOptions, 'draft'>): Promise<StartedRun>;
  async start(config: DraftConfig, options: StartOptions & { draft: true }): Promise<StartedRun>;
  async start(config: RunConfigInput | DraftConfig, options: StartOptions): Promise<StartedRun>;
  async start(
    config: RunConfigInput | DraftConfig,
    { draft = false, traceparent, ...options }: StartOptions = {},
  ): Promise<StartedRun> {
    const asked = { since: new Date(), traceparent };
    if (draft) {
      const given = parseDraft(config);
      const run = given.run ?? newRunId(given.trainer ?? 'run');
      const whole = { ...given, run };
      await this.#startWorkflow(run, { config: whole, draft: true }, asked);
      return { run, config: whole, outputFolder: null };
    }
    const passed = await this.check(config, options);
    const run = parseName('run', passed.config.run);
    await this.#startWorkflow(run, { config: passed.config }, asked);
    return { run, config: passed.config, outputFolder: passed.outputFolder };
  }

  /** The check alone, with the run id that it was made for. Throws ConfigError and WorkerFailedError. */
  async check(config: unknown, options: DeepCheckOptions = {}): Promise<PassedCheck> {
    const own = parseConfig(config);
    const answer = await this.#workers.checkConfig({ ...own, run: own.run ?? newRunId(own.trainer) }, options);
    if (!answer.ok) throw new ConfigError(answer.problems, { dataReport: answer.dataReport });
    return answer;
  }

  /** Merges into a draft; `null` removes a field. `asked`, here and below: who asks, which the run keeps. Throws ConfigError and WrongStateError. */
  async configure(run: string, patch: Configure, asked?: Asked): Promise<RunView> {
    return this.#update(run, updateNames.configure, [parsed(configureSchema, patch)], asked);
  }

  /** Checks a draft and starts its training. Throws ConfigError and WrongStateError; it is still a draft then. */
  train(run: string, asked?: Asked): Promise<RunView> {
    return this.#update(run, updateNames.train, [], asked);
  }

  /** Stops at the end of the batch or epoch under way, or at once. A second stop goes one step further. Throws WrongStateError. */
  async stop(run: string, mode: StopMode = 'batch', asked?: Asked): Promise<RunView> {
    return this.#update(run, updateNames.stop, [parsed(stopRequestSchema, { mode })], asked);
  }

  /** Checkpoints at the end of the batch and gives the slot back. Throws WrongStateError. */
  pause(run: string, asked?: Asked): Promise<RunView> {
    return this.#update(run, updateNames.pause, [], asked);
  }

  /** Throws WrongStateError. */
  resume(run: string, asked?: Asked): Promise<RunView> {
    return this.#update(run, updateNames.resume, [], asked);
  }

  /**
   * Also of a run that is over, for as long as the server keeps it. One that was ended by force is `stopped`, with the receipt of
   * its salvage once there is one.
   */
  async view(run: string): Promise<RunView> {
    parseName('run', run);
    const handle = this.#client.workflow.getHandle(run);
    const ask = async () =>
      this.#viewOf(run, await this.#calls.within(this.#workerSeconds, run, () => handle.query<unknown>(runQuery)));
    const view = await ask();
    if (view.state === 'stopped') return view;
    const { status } = await this.#calls.within(10, run, () => handle.describe());
    if (status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW') return view;
    // It may have ended by itself between the two questions.
    const last = await ask();
    return last.state === 'stopped' ? last : endedView(last, await presentSalvage(this.#calls, run));
  }

  /** Where files of a run, or of one of its lives, are to be asked for now. */
  async places(asked: string): Promise<RunPlaces> {
    return placesIn(await this.view(runAt(parsePlace('run', asked))), asked);
  }

  /** What the server knows of a run without asking it, what is being done for it, and what it waits for. */
  async now(run: string): Promise<RunNow> {
    const { summary, progress, waiting } = await describeRun(this.#calls, parseName('run', run));
    if (waiting === null) return { summary, progress, waiting: null };
    const { pool } = waiting;
    const before = queuedBefore(await queueOf(this.#calls, pool), waiting);
    return { summary, progress, waiting: { pool, before } };
  }

  /** Why every run waits: nobody serves workflows. Null where somebody does. */
  unserved = (): Promise<string | null> => whyUnserved(this.#calls, this.#workflowQueue);

  /** Has this host tell of a run several times a second, for as many seconds as it answers. `watch` does so by itself. */
  lease = (host: string, run: string): Promise<number> => this.#workers.watchRun(host, run);

  /** Items as they come, the end last; see WatchItem. Throws WorkerFailedError for a run of another version. */
  watch(run: string, options: WatchOptions = {}): AsyncGenerator<WatchItem> {
    parseName('run', run);
    return watchRun(this.#calls, run, this, options);
  }

  /**
   * Waits for the end and answers the receipt, whatever the outcome is. Throws NoReceiptError for a run that was ended by
   * force or before it trained, and ConfigError for one whose configuration was refused.
   */
  async result(run: string, options: WaitOptions = {}): Promise<Receipt> {
    parseName('run', run);
    return runResult(this.#calls, run, () => this.view(run), options);
  }

  /** Newest first. Throws ConfigError for a bad filter. */
  list(filter: RunFilter = {}): AsyncGenerator<RunSummary> {
    return listRuns(this.#calls, filter);
  }

  /** Trainers that the workers of a pool have, and those that could not be described. */
  async trainers(pool = 'gpu'): Promise<TrainerList> {
    return this.#workers.trainers(parseName('pool', pool));
  }

  async hosts(pool = 'gpu'): Promise<HostAnswer[]> {
    const hosts = await hostsOfPool(this.#calls, parseName('pool', pool));
    return Promise.all(
      hosts.map((host) =>
        this.#workers.hostStatus(host).then(
          (status): HostAnswer => ({ ok: true, status }),
          (error: unknown): HostAnswer => ({ ok: false, host, problem: passingProblem(error) }),
        ),
      ),
    );
  }

  /** Run folders that are still on a host, or on all hosts of a pool. */
  async keptFolders({
    host,
    pool = 'gpu',
  }: {
    host?: string | undefined;
    pool?: string | undefined;
  } = {}): Promise<KeptAnswer[]> {
    const hosts =
      host === undefined ? await hostsOfPool(this.#calls, parseName('pool', pool)) : [parseName('host', host)];
    return Promise.all(
      hosts.map((one) =>
        this.#workers.keptFolders(one).then(
          (folders): KeptAnswer => ({ host: one, ok: true, folders }),
          (error: unknown): KeptAnswer => ({ host: one, ok: false, problem: passingProblem(error) }),
        ),
      ),
    );
  }

  /**
   * Has a kept run folder published now (`run` may be one of its lives, as `keptFolders` names it): its folder is removed once every copy is verified. Answers the id of the workflow that
   * does it. Throws ConfigError when the folder is not there or its run is not over.
   */
  async publishKept(host: string, run: string): Promise<string> {
    return this.#workers.publishKept(parseName('host', host), parsePlace('run', run));
  }

  /** Waits until a folder that `publishKept` began with is published, and answers the run's receipt as it is now. */
  async publishedReceipt(run: string, { signal }: WaitOptions = {}): Promise<Receipt> {
    const receipt = await salvageEnd(this.#calls, parsePlace('run', run), signal);
    if (receipt) return receipt;
    throw new WorkerFailedError(`the folder of ${run} could not be published: the workflow ${salvageId(run)} says why`);
  }

  /** Removes a kept run folder for good. Throws ConfigError when it is not there or in use. */
  async removeKept(host: string, run: string): Promise<void> {
    await this.#workers.removeKept(parseName('host', host), parsePlace('run', run));
  }

  /** What `removeRun` would remove. Throws WrongStateError for a run that is not over. */
  planRemoval(run: string): Promise<Removal> {
    return planRemoval(this, parsePlace('run', run));
  }

  /** Removes a life of a run for good, with its results. Others stay. */
  removeRun(removal: Removal): Promise<void> {
    return removeRun(this, this.#calls, removal);
  }

  /** What starting a run again would start, and what differs now. Throws WrongStateError and ConfigError. */
  planReproduction(run: string, options: ReproductionOptions = {}): Promise<Reproduction> {
    const ask: AskForMaterials = (question) => materialsInPool(this.#calls, this.#workers, question);
    return planReproduction(this, parseName('run', run), { ...options, ask });
  }

  #startWorkflow(
    run: string,
    input: TrainingRunInput,
    more: Pick<WorkflowStart, 'since' | 'traceparent'>,
  ): Promise<void> {
    return startWorkflow(this.#client, this.#calls, { run, input, workflowQueue: this.#workflowQueue, ...more });
  }

  /** Accepted within the time that a worker may take; then waited for as long as a worker works on it. */
  async #update(run: string, update: string, given: readonly unknown[], asked?: Asked): Promise<RunView> {
    parseName('run', run);
    const handle = this.#client.workflow.getHandle(run);
    const accepted = await this.#calls
      .within(this.#workerSeconds, run, () =>
        handle.startUpdate<unknown, [unknown]>(update, {
          args: [...given, ...(asked ? [parsed(askedSchema, asked)] : [])] as [unknown],
          ...(asked ? { updateId: asked.requestId } : {}),
          waitForStage: WorkflowUpdateStage.ACCEPTED,
        }),
      )
      .catch((error: unknown) => {
        if (!(error instanceof NoWorkerError)) throw error;
        throw new NoWorkerError(`${error.message}; "${update}" may still be done when one comes`, { cause: error });
      });
    try {
      return this.#viewOf(run, await accepted.result());
    } catch (error) {
      if (isSilence(error)) await this.#calls.requireServer(error);
      throw typedError(error, this.#calls.server, run);
    }
  }

  #viewOf(run: string, answer: unknown): RunView {
    const view = runViewSchema.safeParse(answer);
    if (view.success) return view.data;
    throw new WorkerFailedError(`what run ${run} says of itself is of another version of Epochal`, {
      cause: view.error,
    });
  }
}
