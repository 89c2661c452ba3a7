/** Which events a rule is for. Pure. */
import { z } from 'zod';
import type { ObservedEvent, ObservedKind } from '../contracts/observed-events.ts';
import { outcomeSchema } from '../contracts/receipt.ts';
import type { ObservedRun } from './observer.ts';

/** Beside the outcomes of runs. */
const happenings = {
  started: 'state',
  restarted: 'restart',
  paused: 'held',
  resumed: 'held',
} as const satisfies Record<string, ObservedKind>;

const words = [...outcomeSchema.options, ...(Object.keys(happenings) as (keyof typeof happenings)[])];
const wordSchema = z.enum(words as [(typeof words)[number], ...(typeof words)[number][]], {
  error: `must be one of ${words.join(', ')}`,
});
type Word = z.infer<typeof wordSchema>;

const names = z.array(z.string().min(1).max(100)).min(1).max(100);
export const ruleSchema = z.strictObject({
  /** Names of targets. */
  to: names,
  on: z.array(wordSchema).min(1).max(50),
  /** Left out: all. */
  projects: names.optional(),
  trainers: names.optional(),
});
export type Rule = z.infer<typeof ruleSchema>;

/** The kinds of events that rules can be for. */
export const kindsOf = (rules: readonly Rule[]): ObservedKind[] => [
  ...new Set(rules.flatMap(({ on }) => on.map((word) => (isHappening(word) ? happenings[word] : 'ended')))),
];

const isHappening = (word: Word): word is keyof typeof happenings => word in happenings;

export function isFor(rules: readonly Rule[], event: ObservedEvent, run: Pick<ObservedRun, 'project' | 'trainer'>) {
  const word = wordOf(event);
  return rules.some(
    ({ on, projects, trainers }) =>
      on.some((one) => one === word) &&
      (projects?.includes(run.project) ?? true) &&
      (trainers?.includes(run.trainer) ?? true),
  );
}

function wordOf(event: ObservedEvent): Word | null {
  if (event.kind === 'ended') return event.data.outcome;
  if (event.kind === 'restart') return 'restarted';
  if (event.kind === 'held') return event.data.isHeld ? 'paused' : 'resumed';
  // It enters this state once: a pause is a part of it.
  return event.kind === 'state' && event.data.state === 'training' ? 'started' : null;
}
