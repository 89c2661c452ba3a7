/** Which hosts there are and whether they answer now, and whether anybody serves workflows: asked once a moment for all who look. */
import { NoWorkerError, WorkerFailedError } from '../client/errors.ts';
import { WorkerQuestions } from '../client/worker-questions.ts';
import { type SeenWorker, workersSeen } from '../client/workers-seen.ts';
import { whyUnserved } from '../client/workflow-pollers.ts';
import type { HostAnswer } from '../contracts/http-answers.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Backend } from './temporal-link.ts';

/** A worker that is there takes a question on its control queue at once. */
const patienceSeconds = 2;

export class HostsSeen {
  readonly #seen = new AnswerCache<SeenWorker[]>(2_000);
  readonly #answers = new AnswerCache<HostAnswer>(3_000, 1_000);
  readonly #unserved = new AnswerCache<string | null>(2_000);

  constructor(readonly workflowQueue: string) {}

  /** Also those that are gone since a few minutes; by pool and host. */
  seen({ calls }: Backend): Promise<SeenWorker[]> {
    return this.#seen.get('', () => workersSeen(calls, this.workflowQueue));
  }

  /** A sentence while nobody serves the workflows of runs. */
  unserved({ calls }: Backend): Promise<string | null> {
    return this.#unserved.get('', () => whyUnserved(calls, this.workflowQueue));
  }

  async all(backend: Backend): Promise<HostAnswer[]> {
    const seen = await this.seen(backend);
    return Promise.all(seen.map((worker) => this.#answers.get(worker.host, () => answerOf(backend, worker))));
  }
}

async function answerOf({ calls }: Backend, { host, pool, seenAt }: SeenWorker): Promise<HostAnswer> {
  const about = { host, pool, seenAt: seenAt?.toISOString() ?? null };
  try {
    return { ...about, status: await new WorkerQuestions(calls, patienceSeconds).hostStatus(host), problem: null };
  } catch (error) {
    if (!(error instanceof NoWorkerError || error instanceof WorkerFailedError)) throw error;
    return { ...about, status: null, problem: error.message };
  }
}
