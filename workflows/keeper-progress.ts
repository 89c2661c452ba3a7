/** What the keeper has to do, and how its answers change what the run remembers. Pure. */
import { isFallback, type LedgerEntry } from '../contracts/checkpoint.ts';
import type { KeptCheckpoints } from '../contracts/run-activities.ts';
import { adoptCheckpoints } from './ledger.ts';
import { planOf, type RunContext } from './run-context.ts';
import { wasDamaged, withDropped, withNotes } from './run-progress.ts';

type Change = Partial<RunContext>;

/** What the keeper has to store: a fallback that is on a host alone is only of use there. */
export const toStore = ({ ledger }: RunContext): LedgerEntry[] =>
  ledger.filter((entry) => !entry.stored && !isFallback(entry));

/** What the keeper removes once it has stored all that it was asked to, the newest among them. */
export const toRemove = ({ ledger, dropped }: RunContext): string[] => [
  ...dropped,
  ...ledger.filter(isFallback).map(({ name }) => name),
];

/** What the keeper stored and removed: with the newest stored, the policy alone decides again. */
export function adoptKept(context: RunContext, { stored, removed, damaged }: KeptCheckpoints): Change {
  const { config, best } = planOf(context);
  const left = context.ledger
    .filter((entry) => !damaged.includes(entry.name) && !(entry.stored && removed.includes(entry.name)))
    .map((entry) => (stored.includes(entry.name) ? { ...entry, stored: true } : entry));
  const { ledger, dropped } = adoptCheckpoints(left, [], '', config.checkpoints, best);
  return {
    ledger,
    storing: [],
    dropped: withDropped(context.dropped, dropped, (name) => removed.includes(name)),
    notes: withNotes(context.notes, damaged.map(wasDamaged)),
  };
}

/** The keeper did not answer: what it was to store and to remove may be in the store, or not. */
export function adoptKeeperFailure({ ledger }: RunContext): Change {
  return { ledger: ledger.map((entry) => (isFallback(entry) ? { ...entry, stored: false } : entry)) };
}
