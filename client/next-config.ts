/** The configuration of a run that follows another one: the same again, or from one of its checkpoints. Pure. */
import { shownValue } from '../contracts/config-problems.ts';
import type { DraftConfig } from '../contracts/run-config.ts';
import type { RunView } from '../contracts/run-messages.ts';
import { ConfigError, WrongStateError } from './errors.ts';

/** What of the other run is taken over. */
export interface Origin {
  /** `best`, `last`, or the name of a checkpoint that the run retains. */
  checkpoint: string;
  /** true: continue, with its epoch numbers and optimizer. false: fork, from its weights alone. */
  keepProgress: boolean;
}

type Followed = Pick<RunView, 'run' | 'config' | 'outputFolder' | 'checkpoints' | 'receipt'>;

/** The run's configuration without its id: with it, the same training starts where this run started. */
export function sameAgain({ config: { run: _, ...config } }: Pick<Followed, 'config'>): DraftConfig {
  return config;
}

/** The run's configuration from random weights. */
export function fromScratch(view: Pick<Followed, 'config'>): DraftConfig {
  const { continueFrom: _, ...config } = sameAgain(view);
  return config;
}

/** Throws WrongStateError for a run without a checkpoint, ConfigError for a checkpoint that it does not have. */
export function fromCheckpoint(view: Followed, { checkpoint, keepProgress }: Origin): DraftConfig {
  const { run, outputFolder, checkpoints, receipt } = view;
  if (outputFolder === null) throw new WrongStateError(`run ${run} has no checkpoint yet`);
  const isPlace = checkpoint === 'best' || checkpoint === 'last';
  const entry = checkpoints.find(({ name, reasons }) => (isPlace ? reasons.includes(checkpoint) : name === checkpoint));
  if (!entry && !isPlace) {
    const names = checkpoints.map(({ name }) => name).join(', ');
    const message = `must be best, last or one that the run retains: ${names || 'there is none'}`;
    throw new ConfigError([{ field: 'checkpoint', value: shownValue(checkpoint), message }]);
  }
  // A store alone tells which checkpoint is the best only once there is a receipt.
  const named = receipt === null && checkpoint === 'best' && entry ? entry.name : checkpoint;
  const config = fromScratch(view);
  // A run that keeps its progress has to train more epochs than it has: as many again, unless some were left.
  const trained = keepProgress && entry ? entry.epoch : 0;
  const { epochs } = config;
  return {
    ...config,
    ...(epochs !== undefined && epochs <= trained ? { epochs: trained + epochs } : {}),
    continueFrom: { outputFolder, checkpoint: named, keepProgress },
  };
}

/**
 * For a run that did not come to its end: from its last checkpoint with its progress, or, where it has none, as it started.
 * Throws WrongStateError for a run that is not over, or that has completed.
 */
export function retried(view: Followed & Pick<RunView, 'state'>): DraftConfig {
  requireOver(view, 'retried');
  if (view.receipt?.outcome === 'completed')
    throw new WrongStateError(
      `run ${view.run} has completed: "epochal extend" trains more epochs, "epochal fork" trains it again`,
    );
  const published = view.receipt?.checkpoints ?? [];
  if (published.length === 0 && !view.checkpoints.some(({ stored }) => stored)) return sameAgain(view);
  return fromCheckpoint(view, { checkpoint: 'last', keepProgress: true });
}

/** `epochs`: in all, or as many more than were planned. Throws WrongStateError for a run that is not over. */
export function extended(
  view: Followed & Pick<RunView, 'state'>,
  epochs: { total: number } | { more: number },
): DraftConfig {
  requireOver(view, 'extended');
  const config = fromCheckpoint(view, { checkpoint: 'last', keepProgress: true });
  return { ...config, epochs: 'total' in epochs ? epochs.total : (view.config.epochs ?? 0) + epochs.more };
}

/** A trainer plans its learning rates for the number of epochs that it was started with. */
function requireOver({ run, state }: Pick<RunView, 'run' | 'state'>, what: string): void {
  if (state === 'stopped') return;
  throw new WrongStateError(
    `run ${run} is not over (${state}): only a run that is can be ${what}; "epochal stop ${run}" ends it`,
  );
}
