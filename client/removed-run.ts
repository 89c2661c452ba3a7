/** Removing a run for good: its run folders on hosts, its results in the store, and what the server knows of it. */

import type { KeptFolder } from '../contracts/host-messages.ts';
import { claimFile, claimSchema, runAt } from '../contracts/life.ts';
import type { RunView } from '../contracts/run-messages.ts';
import { salvageId, salvageType } from '../contracts/salvage-messages.ts';
import { tellLaterId } from '../contracts/tell-later.ts';
import type { Calls } from './calls.ts';
import { WrongStateError } from './errors.ts';
import type { KeptAnswer } from './pool-hosts.ts';
import type { FilesPlace, RunFiles } from './run-files.ts';
import { firstThatHas, placesIn } from './run-places.ts';
import { isNotFound } from './temporal-errors.ts';

/** What will be removed. */
export interface Removal {
  /** Of the run's newest life. */
  view: RunView;
  /** The run id, or the life's own place. */
  place: string;
  /** Where its output folder is to be asked for. */
  inStore: readonly FilesPlace[];
  /** Executions of the life. */
  chain: readonly string[];
  /** What is in the output folder; null where there is none. */
  results: { bytes: number; checkpoints: number } | null;
  folders: KeptFolder[];
  /** Hosts of its pool that do not answer: what they keep of it stays. */
  silent: string[];
}

/** Of the client. */
interface Source {
  readonly files: RunFiles;
  view(run: string): Promise<RunView>;
  keptFolders(where: { pool?: string | undefined }): Promise<KeptAnswer[]>;
  removeKept(host: string, place: string): Promise<void>;
}

/**
 * `asked`: a run, which means its newest life, or an older one by its full name. Throws WrongStateError for a run that is not over,
 * NoWorkerError where nobody can read its store, FileNotFoundError for a life that has nothing there.
 */
export async function planRemoval(client: Source, asked: string): Promise<Removal> {
  const run = runAt(asked);
  const view = await client.view(run);
  const { places } = placesIn(view, asked);
  const inStore = places.filter(({ source }) => source === 'store');
  const place = places[0]?.run ?? asked;
  const isNewest = place === (view.place ?? run);
  if (isNewest && view.state !== 'stopped')
    throw new WrongStateError(`run ${run} is not over (${view.detail}): "epochal stop ${run}" ends it first`);
  const answers = await client.keptFolders({ pool: view.config.pool });
  const results = view.outputFolder === null ? null : await resultsAt(client, inStore, place);
  return {
    view,
    place,
    inStore,
    chain: isNewest ? (view.chain ?? []) : await chainAt(client, inStore, place),
    results,
    folders: answers.flatMap((answer) => (answer.ok ? answer.folders.filter((one) => one.run === place) : [])),
    silent: answers.flatMap((answer) => (answer.ok ? [] : [answer.host])),
  };
}

async function resultsAt(client: Source, inStore: readonly FilesPlace[], place: string): Promise<Removal['results']> {
  const { found } = await firstThatHas({ places: [...inStore] }, `the output folder of ${place}`, async (at) => {
    const listed = await client.files.list(at, null);
    const checkpoints = await client.files.list(at, 'checkpoints');
    return { entries: listed?.entries ?? [], checkpoints: checkpoints?.entries.length ?? 0 };
  });
  const { entries, checkpoints } = found;
  return entries.length === 0 ? null : { bytes: entries.reduce((sum, { size }) => sum + size, 0), checkpoints };
}

/** Executions of a life, as its claim in the output folder tells them. */
async function chainAt(client: Source, inStore: readonly FilesPlace[], place: string): Promise<readonly string[]> {
  const { place: at, found: size } = await firstThatHas({ places: [...inStore] }, `a claim of ${place}`, (one) =>
    client.files.size(one, claimFile),
  );
  const parts: Uint8Array[] = [];
  for await (const part of client.files.bytes(at, claimFile, 0, size)) parts.push(part);
  return claimSchema.parse(JSON.parse(Buffer.concat(parts).toString('utf8'))).life.chain;
}

/**
 * What the server knows goes last: where something in between fails, the run is still there to be removed again. Throws
 * WorkerFailedError where its output folder belongs to another life, and then no result was removed.
 */
export async function removeRun(client: Source, calls: Calls, removal: Removal): Promise<void> {
  const { view, place, inStore, chain, results, folders } = removal;
  // It would claim the output folder again, to write there what else has happened.
  await forget(calls, tellLaterId(place), null);
  for (const { host } of folders) await client.removeKept(host, place);
  if (results) {
    const owner = { storeIdentity: view.config.storeIdentity ?? null, chain: [...chain] };
    await firstThatHas({ places: [...inStore] }, `the output folder of ${place}`, async (at) => ({
      isRemoved: await client.files.removeResults(at, owner),
    }));
  }
  for (const execution of chain) await forget(calls, view.run, execution);
  if (await isSalvage(calls, salvageId(place))) await forget(calls, salvageId(place), null);
}

/** An execution, or the newest one of an id. What the server no longer knows is not an error. */
async function forget(calls: Calls, workflowId: string, execution: string | null): Promise<void> {
  const { client } = calls;
  try {
    await calls.within(10, workflowId, () =>
      client.connection.workflowService.deleteWorkflowExecution({
        namespace: client.options.namespace,
        workflowExecution: { workflowId, ...(execution === null ? {} : { runId: execution }) },
      }),
    );
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** A person may have called a run like that. */
async function isSalvage(calls: Calls, workflowId: string): Promise<boolean> {
  const { client } = calls;
  try {
    const { workflowExecutionInfo } = await calls.within(10, workflowId, () =>
      client.connection.workflowService.describeWorkflowExecution({
        namespace: client.options.namespace,
        execution: { workflowId },
      }),
    );
    return workflowExecutionInfo?.type?.name === salvageType;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return false;
  }
}
