/** A run as its page shows it: from Temporal what Temporal knows, from the run itself the rest, when it answers. */
import { NoWorkerError, WorkerFailedError } from '../client/errors.ts';
import { describeRun } from '../client/run-pages.ts';
import type { RunDetails } from '../contracts/http-answers.ts';
import type { RunView } from '../contracts/run-messages.ts';
import type { Backend } from './temporal-link.ts';

/** Throws RunNotFoundError and what is said of the Temporal server. A worker that is away is part of the answer. */
export async function runDetails(backend: Backend, run: string, known?: RunView): Promise<RunDetails> {
  const [{ summary, progress }, { view, trouble }] = await Promise.all([
    describeRun(backend.calls, run),
    known ? { view: known, trouble: null } : viewOrTrouble(backend, run),
  ]);
  return { summary, view, progress, trouble, temporalUi: temporalPage(backend, run) };
}

async function viewOrTrouble(backend: Backend, run: string): Promise<Pick<RunDetails, 'view' | 'trouble'>> {
  try {
    return { view: await backend.training.view(run), trouble: null };
  } catch (error) {
    if (!(error instanceof NoWorkerError || error instanceof WorkerFailedError)) throw error;
    return { view: null, trouble: error.message };
  }
}

const temporalPage = ({ ui, namespace }: Backend, run: string): string | null =>
  ui === null
    ? null
    : `${ui.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(run)}`;
