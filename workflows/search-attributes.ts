/** The search attributes of a run, by which Temporal lists it: set again when one of them has changed. */

import * as wf from '@temporalio/workflow';
import type { Outcome } from '../contracts/receipt.ts';
import type { RunView } from '../contracts/run-messages.ts';
import { attributes, waitingDetail, waitingPlace } from '../contracts/search-attributes.ts';
import type { RunContext } from './run-context.ts';
import { bestOf, outcomeOf } from './run-receipt.ts';
import type { RunStory } from './run-story.ts';
import type { ChartPosition } from './run-view.ts';

type Attributes = Record<Exclude<keyof typeof attributes, 'run' | 'study' | 'labels'>, string | number | null>;

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
    const shown: Attributes = {
      state,
      detail,
      trainer: config.trainer ?? 'unknown',
      project: config.project ?? 'default',
      outcome: state === 'stopped' ? ended(context) : null,
      queue: this.#waitingSince && waitingPlace(config.pool ?? 'gpu', config.priority ?? 3, this.#waitingSince),
      bestMetric: bestOf(context)?.value ?? null,
      started: story.beganAt ?? null,
    };
    const text = JSON.stringify(shown);
    if (text === this.#shown) return;
    this.#shown = text;
    wf.upsertSearchAttributes([
      ...(['state', 'detail', 'trainer', 'project', 'outcome', 'queue'] as const).map((name) => ({
        key: attributes[name],
        value: shown[name] as string | null,
      })),
      { key: attributes.bestMetric, value: shown.bestMetric as number | null },
      { key: attributes.started, value: story.beganAt ? new Date(story.beganAt) : null },
    ]);
  }
}

/** A configuration that was refused leaves a run that never had a plan: nothing of it is completed. */
const ended = (context: RunContext): Outcome =>
  context.plan === null && context.stop === null ? 'failed' : outcomeOf(context);
