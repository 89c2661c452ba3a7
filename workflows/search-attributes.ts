/** The search attributes of a run, by which Temporal lists it: set again when one of them has changed. */
import { defineSearchAttributeKey } from '@temporalio/common';
import * as wf from '@temporalio/workflow';
import type { Outcome } from '../contracts/receipt.ts';
import { type RunView, type searchAttributes, waitingDetail, waitingPlace } from '../contracts/run-messages.ts';
import type { RunContext } from './run-context.ts';
import { bestOf, outcomeOf } from './run-receipt.ts';
import type { RunStory } from './run-story.ts';
import type { ChartPosition } from './run-view.ts';

type Attributes = Record<Exclude<keyof typeof searchAttributes, 'EpochalRun'>, string | number | null>;

export class ShownAttributes {
  #shown = '';
  #waitingSince: string | null = null;

  show(
    context: RunContext,
    config: RunView['config'],
    story: RunStory,
    { state, detail }: ChartPosition,
    now: Date,
  ): void {
    this.#waitingSince = detail === waitingDetail ? (this.#waitingSince ?? now.toISOString()) : null;
    const attributes: Attributes = {
      EpochalState: state,
      EpochalDetail: detail,
      EpochalTrainer: config.trainer ?? 'unknown',
      EpochalProject: config.project ?? 'default',
      EpochalOutcome: state === 'stopped' ? ended(context) : null,
      EpochalQueue: this.#waitingSince && waitingPlace(config.pool ?? 'gpu', config.priority ?? 3, this.#waitingSince),
      EpochalBestMetric: bestOf(context)?.value ?? null,
      EpochalStarted: story.beganAt ?? null,
    };
    const text = JSON.stringify(attributes);
    if (text === this.#shown) return;
    this.#shown = text;
    wf.upsertSearchAttributes([
      ...(
        ['EpochalState', 'EpochalDetail', 'EpochalTrainer', 'EpochalProject', 'EpochalOutcome', 'EpochalQueue'] as const
      ).map((key) => ({ key: defineSearchAttributeKey(key, 'KEYWORD'), value: attributes[key] as string | null })),
      {
        key: defineSearchAttributeKey('EpochalBestMetric', 'DOUBLE'),
        value: attributes.EpochalBestMetric as number | null,
      },
      {
        key: defineSearchAttributeKey('EpochalStarted', 'DATETIME'),
        value: story.beganAt ? new Date(story.beganAt) : null,
      },
    ]);
  }
}

/** A configuration that was refused leaves a run that never had a plan: nothing of it is completed. */
const ended = (context: RunContext): Outcome =>
  context.plan === null && context.stop === null ? 'failed' : outcomeOf(context);
