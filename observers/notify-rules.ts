/** Which events a rule is for. Pure. */
import { z } from 'zod';
import type { MetricCondition, ObservedBy, ObservedEvent, ObservedKind } from '../contracts/observed-events.ts';
import { outcomeSchema } from '../contracts/receipt.ts';
import type { ObservedRun } from './observer.ts';

/** Beside the outcomes of runs. */
const happenings = {
  started: 'state',
  restarted: 'restart',
  paused: 'held',
  resumed: 'held',
} as const satisfies Record<string, ObservedKind>;

const words: readonly string[] = [...outcomeSchema.options, ...Object.keys(happenings)];

type Condition =
  | { kind: 'word'; word: string }
  | { kind: 'waiting'; seconds: number }
  | ({ kind: 'metric' } & MetricCondition);

const seconds = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** A timer in a workflow is not for ever. */
const longestWait = 30 * seconds.d;

/** Null for what is none. */
export function conditionOf(text: string): Condition | null {
  if (words.includes(text)) return { kind: 'word', word: text };
  const [, count, unit] = /^waiting > (\d{1,6}) ?([smhd])$/.exec(text) ?? [];
  if (unit) {
    const wait = Number(count) * seconds[unit as keyof typeof seconds];
    return wait >= 1 && wait <= longestWait ? { kind: 'waiting', seconds: wait } : null;
  }
  const [, metric, is, bound] = /^metric (\S{1,200}) (<=?|>=?) (-?[0-9.]+(?:e-?\d+)?)$/i.exec(text) ?? [];
  if (!metric || Number.isNaN(Number(bound))) return null;
  return { kind: 'metric', metric, is: is as MetricCondition['is'], bound: Number(bound) };
}

const names = z.array(z.string().min(1).max(100)).min(1).max(100);
export const ruleSchema = z.strictObject({
  /** Names of targets. */
  to: names,
  on: z
    .array(
      z.string().refine((text) => conditionOf(text) !== null, {
        error: `must be one of ${words.join(', ')}, or such as "waiting > 1h" (s, m, h, d; at most 30d) or "metric val_loss < 0.1"`,
      }),
    )
    .min(1)
    .max(20),
  /** Left out: all. */
  projects: names.optional(),
  trainers: names.optional(),
});
export type Rule = z.infer<typeof ruleSchema>;

const conditionsOf = (rules: readonly Rule[]): Condition[] =>
  rules.flatMap(({ on }) => on.flatMap((text) => conditionOf(text) ?? []));

/** The kinds of events that rules can be for. */
export const kindsOf = (rules: readonly Rule[]): ObservedKind[] => [
  ...new Set(
    conditionsOf(rules).map((condition): ObservedKind => {
      if (condition.kind !== 'word') return condition.kind;
      return isHappening(condition.word) ? happenings[condition.word] : 'ended';
    }),
  ),
];

const isHappening = (word: string): word is keyof typeof happenings => word in happenings;

/** Of each, for one target: a run remembers them. */
export const mostWaitedFor = 10;

/** What is no event unless somebody waits for it. */
export function waitsForOf(rules: readonly Rule[]): ObservedBy['waitsFor'] {
  const conditions = conditionsOf(rules);
  const metrics = conditions.flatMap((one) => {
    const { kind, ...condition } = one;
    return one.kind === 'metric' && kind ? [condition as MetricCondition] : [];
  });
  const queued = conditions.flatMap((one) => (one.kind === 'waiting' ? one.seconds : []));
  return metrics.length + queued.length > 0 ? { metrics, queued } : undefined;
}

export function isFor(rules: readonly Rule[], event: ObservedEvent, run: Pick<ObservedRun, 'project' | 'trainer'>) {
  return rules.some(
    ({ on, projects, trainers }) =>
      on.some((text) => isMet(conditionOf(text), event)) &&
      (projects?.includes(run.project) ?? true) &&
      (trainers?.includes(run.trainer) ?? true),
  );
}

function isMet(condition: Condition | null, event: ObservedEvent): boolean {
  if (condition?.kind === 'word') return condition.word === wordOf(event);
  if (condition?.kind === 'waiting') return event.kind === 'waiting' && event.data.seconds === condition.seconds;
  if (condition?.kind !== 'metric' || event.kind !== 'metric') return false;
  const { metric, is, bound } = event.data;
  return metric === condition.metric && is === condition.is && bound === condition.bound;
}

function wordOf(event: ObservedEvent): string | null {
  if (event.kind === 'ended') return event.data.outcome;
  if (event.kind === 'restart') return 'restarted';
  if (event.kind === 'held') return event.data.isHeld ? 'paused' : 'resumed';
  // It enters this state once: a pause is a part of it.
  return event.kind === 'state' && event.data.state === 'training' ? 'started' : null;
}
