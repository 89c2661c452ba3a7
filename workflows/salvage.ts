/**
 * Lands what is left of a run that could not end itself: terminated, deleted, or closed with its host gone. What the
 * hosts and the store hold is published, and a receipt says `salvaged`, or `lost` when nothing was found.
 */

import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import * as wf from '@temporalio/workflow';
import type { Origin } from '../contracts/asked.ts';
import type { LedgerEntry } from '../contracts/checkpoint.ts';
import type { Owner } from '../contracts/life.ts';
import { hostQueue, poolControlQueue } from '../contracts/queues.ts';
import { type Receipt, supersedes } from '../contracts/receipt.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import {
  type SalvageActivities,
  type SalvageInput,
  type Survey,
  salvageId,
  surveySchema,
} from '../contracts/salvage-messages.ts';
import { attributes } from '../contracts/search-attributes.ts';
import { answerOf } from './answers.ts';
import { adoptCheckpoints, landedOf } from './ledger.ts';
import { code } from './markdown.ts';
import { salvageEnd } from './outbox.ts';
import { cleanUp, publish, tellObserver } from './run-activities.ts';
import { failureOf } from './session-failures.ts';
import { handOver } from './tell-later.ts';
import { pageOf } from './temporal-page.ts';

/** A host that is rebooting gets this long, unless who asks says otherwise. */
const hostReturnSeconds = 300;
const nothing: Survey = { config: null, chain: null, checkpoints: [], epochs: [], receipt: null, outputFolder: null };

export async function salvage(input: SalvageInput): Promise<Receipt | null> {
  const { run, place, pool } = input;
  wf.setCurrentDetails(`Publishes what is left of run ${pageOf(run)}.`);
  const onHost = input.host === null ? null : await surveyHost(input.host, input);
  const config = input.config ?? onHost?.config ?? null;
  if (!config) throw wf.ApplicationFailure.nonRetryable(`no configuration found for ${place}`, 'NothingLeft');
  const owner = { place, chain: input.chain ?? onHost?.chain ?? [] };
  const inStore = await surveyStore(pool, place, config);
  const host = onHost ? input.host : null;
  const landed = inStore.receipt;
  // Salvages of a run come one after the other, and the run is closed: nobody lands it between this and the end.
  const isOlder = onHost && host !== null && landed && supersedes(landed, host, onHost.checkpoints.at(-1) ?? null);
  if (isOlder && wf.patched('superseded')) return tell(landed, config);
  const best = config.checkpoints.best ?? { metric: '', mode: 'max' as const };
  const entries = newest([...input.ledger, ...inStore.checkpoints, ...(onHost?.checkpoints ?? [])]).filter(
    (entry) => entry.stored || host !== null,
  );
  const { ledger } = adoptCheckpoints(entries, [], host ?? '', config.checkpoints, best);
  const { outputFolder } = inStore;
  const found: Found = {
    run,
    origin: onHost?.origin,
    config,
    outputFolder,
    host,
    silentHost: host === null ? input.host : null,
    epochs: [...inStore.epochs, ...(onHost?.epochs ?? [])],
  };
  const own = [inStore.receipt, onHost?.receipt].find((one) => one && !isFromSalvage(one)) ?? null;
  let receipt = own ?? composeLost(found, ledger);
  let keep: string | null = null;
  try {
    const published = await publish({ run, ...owner, config, ledger, dropped: [], host, receipt });
    const landed = landedOf(ledger, published.checkpoints, config.checkpoints, best);
    const told = own ? landedLate(own, outputFolder) : composeLost(found, landed.ledger);
    const { files, bytes, facts } = published;
    const data = published.data ?? told.data;
    const notes = [...told.notes, ...(published.notes ?? [])];
    receipt = { ...told, notes, checkpoints: landed.checkpoints, files, publishedBytes: bytes, data, ...facts };
  } catch (error) {
    const failure = failureOf(error);
    keep = `publishing failed: ${failure.message}`;
    // What was found is on the host alone: nothing was salvaged yet.
    if (!own && ledger.length > 0) receipt = { ...receipt, outcome: 'failed', cause: { kind: 'failure', failure } };
  }
  const final = tell(await cleanUp({ run, ...owner, config, host, keep, receipt }), config);
  if (wf.patched('observers')) await tellObservers(final, owner, config);
  return final;
}

/** The run could not tell its end. Whom it told of the rest, nobody knows here: all that the pool has are told. */
async function tellObservers(final: Receipt, owner: Owner, config: RunConfig): Promise<void> {
  const events = [salvageEnd(final, owner, new Date())];
  try {
    const asked = { run: final.run, ...owner, config };
    const { failed = [] } = await tellObserver({ ...asked, observer: null, namesFailed: true, events }, true);
    const seqs = events.map(({ seq }) => seq);
    if (failed.length > 0) await handOver({ ...asked, events, untold: failed.map((observer) => ({ observer, seqs })) });
  } catch (error) {
    wf.log.warn('observers were not told of the salvage', { error });
  }
}

function tell(final: Receipt, config: RunConfig): Receipt {
  wf.upsertSearchAttributes([
    { key: attributes.outcome, value: final.outcome },
    { key: attributes.project, value: config.project },
    { key: attributes.trainer, value: config.trainer },
  ]);
  wf.setCurrentDetails(
    `### ${final.outcome}\n- **run** ${pageOf(final.run)}\n- **output folder** ${code(final.outputFolder ?? 'none')}`,
  );
  return final;
}

async function surveyHost(host: string, { place, hostReturnSeconds: wait }: SalvageInput): Promise<Survey | null> {
  const { surveyHost: ask } = wf.proxyActivities<SalvageActivities>({
    taskQueue: hostQueue(host),
    startToCloseTimeout: '1h',
    heartbeatTimeout: '60s',
    scheduleToStartTimeout: `${wait ?? hostReturnSeconds}s`,
    retry: { maximumAttempts: 20 },
    summary: `what ${host} has of ${place}`,
  });
  return unlessSilent(
    null,
    answerOf('surveyHost', surveySchema, () => ask(place)),
  );
}

async function surveyStore(pool: string, place: string, config: RunConfig): Promise<Survey> {
  const { surveyStore: ask } = wf.proxyActivities<SalvageActivities>({
    taskQueue: poolControlQueue(pool),
    startToCloseTimeout: '1h',
    heartbeatTimeout: '60s',
    summary: `what the store has of ${place}`,
  });
  return unlessSilent(
    nothing,
    answerOf('surveyStore', surveySchema, () => ask({ place, config })),
  );
}

/** `otherwise` where nobody answered in time. */
async function unlessSilent<T>(otherwise: T, answer: Promise<Survey>): Promise<Survey | T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof wf.ActivityFailure && error.cause instanceof wf.TimeoutFailure) return otherwise;
    throw error;
  }
}

/** One entry a name; a stored one goes before one that a host alone has. */
function newest(entries: readonly LedgerEntry[]): LedgerEntry[] {
  const byName = new Map<string, LedgerEntry>();
  for (const entry of entries) if (!byName.get(entry.name)?.stored) byName.set(entry.name, entry);
  return [...byName.values()];
}

/** A salvage before this one had less to go by. */
const isFromSalvage = ({ cause }: Receipt) => cause.kind === 'failure' && cause.failure.kind === 'forceStopped';

/** The run's own receipt: one that could not publish has landed by now all the same. */
function landedLate(own: Receipt, outputFolder: string | null): Receipt {
  const { cause } = own;
  if (cause.kind !== 'failure' || cause.failure.kind !== 'store') return own;
  const notes = [...own.notes, 'published later, from the folder kept on its host'];
  return { ...own, outcome: 'salvaged', outputFolder: own.outputFolder ?? outputFolder, notes };
}

interface Found {
  run: string;
  origin: Origin | undefined;
  config: RunConfig;
  outputFolder: string | null;
  /** The host that was asked, and ended what still ran there; null when none could be. */
  host: string | null;
  /** The one that did not answer: it may still have the run folder. */
  silentHost: string | null;
  epochs: Survey['epochs'];
}

function composeLost(
  { run, origin, config, outputFolder, host, silentHost, epochs }: Found,
  ledger: readonly LedgerEntry[],
): Receipt {
  const now = new Date().toISOString();
  const position = ledger.at(-1) ?? { epoch: 0, batch: 0 };
  const last = epochs
    .filter(({ epoch }) => epoch <= position.epoch)
    .sort((a, b) => a.epoch - b.epoch)
    .at(-1);
  const { best } = config.checkpoints;
  const bestEntry = ledger.find(({ reasons }) => reasons.includes('best'));
  const value = best && bestEntry?.metrics[best.metric];
  return {
    receiptVersion: 1,
    run,
    ...(origin ? { origin } : {}),
    project: config.project,
    trainer: config.trainer,
    outcome: ledger.length > 0 ? 'salvaged' : 'lost',
    cause: {
      kind: 'failure',
      failure: {
        kind: 'forceStopped',
        message: 'the run was terminated or deleted from outside; this is what was found',
      },
    },
    startedAt: ledger.find(({ from }) => !from)?.createdAt ?? now,
    endedAt: now,
    epochs: { trained: position.epoch, planned: config.epochs },
    batches: { trained: position.epoch * (last?.batches ?? 0) + position.batch, wasted: 0, afterStop: null },
    metrics: last?.metrics ?? {},
    best:
      best && bestEntry && value !== undefined
        ? { metric: best.metric, value, epoch: bestEntry.epoch, ...(bestEntry.from ? { from: bestEntry.from } : {}) }
        : null,
    checkpoints: [],
    files: [],
    outputFolder,
    publishedBytes: 0,
    localFolder: silentHost === null ? { kind: 'none' } : { kind: 'unknown', host: silentHost },
    stateSeconds: {},
    restarts: [],
    processGroupGone: host === null ? null : true,
    gpuMemoryReleased: null,
    data: null,
    notes: ['written by salvage: times and wasted batches before the end are unknown'],
  };
}

/** What a Schedule starts every few minutes: it finds closed runs that nobody reported, and has each salvaged. */
export async function reconcile(): Promise<string[]> {
  const { findLostRuns } = wf.proxyActivities<SalvageActivities>({
    taskQueue: wf.workflowInfo().taskQueue,
    startToCloseTimeout: '5m',
    retry: { maximumAttempts: 3 },
  });
  const lost = await findLostRuns();
  const started: string[] = [];
  for (const input of lost) {
    try {
      await wf.startChild(salvage, {
        workflowId: salvageId(input.place),
        args: [input],
        parentClosePolicy: 'ABANDON',
        typedSearchAttributes: [{ key: attributes.run, value: input.run }],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
      });
      started.push(input.place);
    } catch (error) {
      // Someone was quicker: the worker that saw its activity forsaken, or a reconcile before this one.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
  return started;
}
