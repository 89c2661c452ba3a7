/** The checkpoint ledger: which checkpoints a run keeps. Decided here, once, for every trainer. Pure. */
import {
  type CheckpointManifest,
  isBefore,
  isBetter,
  type KeepReason,
  type LedgerEntry,
} from '../contracts/checkpoint.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type { CheckpointPolicy } from '../contracts/run-config.ts';

export interface Best {
  metric: string;
  mode: 'min' | 'max';
}

export interface LedgerChange {
  ledger: LedgerEntry[];
  /** Names that the retention pass removes, here and in the store. */
  dropped: string[];
  /** Whether the policy asks for more than a run can remember. */
  isFull: boolean;
}

/** The ledger travels in payloads, several times an epoch: this much of them, in characters of JSON. */
const ledgerLimit = 128_000;

/**
 * Adds checkpoints that were written on `host`, and applies the policy to all. Those of `storing` are being stored now:
 * until that is known to have worked or not, none is dropped.
 */
export function adoptCheckpoints(
  ledger: readonly LedgerEntry[],
  written: readonly CheckpointManifest[],
  host: string,
  policy: CheckpointPolicy,
  best: Best,
  storing: readonly string[] = [],
): LedgerChange {
  const known = new Map(ledger.map((entry) => [entry.name, entry]));
  for (const manifest of written) {
    if (!known.has(manifest.name)) known.set(manifest.name, { ...manifest, host, stored: false, reasons: [] });
  }
  const entries = [...known.values()].sort((a, b) => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0));
  const reasons = keepReasons(entries, policy, best, storing);
  const wanted = entries
    .map((entry) => ({ ...entry, reasons: reasons.get(entry.name) ?? [] }))
    .filter((entry) => entry.reasons.length > 0);
  const kept = withinLimit(wanted);
  const names = new Set([...kept].map((entry) => entry.name));
  return {
    ledger: wanted.filter((entry) => kept.has(entry)),
    dropped: entries.map((entry) => entry.name).filter((name) => !names.has(name)),
    isFull: kept.size < wanted.length,
  };
}

/** Checkpoints that are kept for good and wait for the store: while that is unavailable they would fill the disk of the host. */
const mostWaiting = 50;

/**
 * Drops the oldest of those that are kept for good alone and are not stored, beyond `mostWaiting`: while training goes on, for what is
 * there at its end is published. None of `storing`.
 */
export function withoutBacklog(change: LedgerChange, storing: readonly string[]): LedgerChange & { isBehind: boolean } {
  const waiting = change.ledger.filter(
    ({ name, stored, reasons }) => !stored && !storing.includes(name) && reasons.every((reason) => reason === 'every'),
  );
  const oldest = waiting.slice(0, -mostWaiting).map(({ name }) => name);
  return {
    ...change,
    ledger: change.ledger.filter(({ name }) => !oldest.includes(name)),
    dropped: [...change.dropped, ...oldest],
    isBehind: oldest.length > 0,
  };
}

/** Those to resume from and the best come first, then the last ones, newest first, then those for good, oldest first. */
function withinLimit(wanted: readonly LedgerEntry[]): ReadonlySet<LedgerEntry> {
  const isNeeded = (reason: KeepReason) => reason === 'resume' || reason === 'best' || reason === 'fallback';
  const needed = wanted.filter(({ reasons }) => reasons.some(isNeeded));
  const last = wanted.filter(({ reasons }) => reasons.includes('last')).reverse();
  const kept = new Set<LedgerEntry>();
  let length = 0;
  for (const entry of new Set([...needed, ...last, ...wanted])) {
    length += JSON.stringify(entry).length;
    if (length <= ledgerLimit || needed.includes(entry)) kept.add(entry);
  }
  return kept;
}

function keepReasons(
  entries: readonly LedgerEntry[],
  policy: CheckpointPolicy,
  best: Best,
  storing: readonly string[],
): Map<string, KeepReason[]> {
  const reasons = new Map<string, KeepReason[]>();
  const keep = (entry: LedgerEntry | undefined, reason: KeepReason) => {
    if (entry) reasons.set(entry.name, [...(reasons.get(entry.name) ?? []), reason]);
  };
  const epochEnds = entries.filter((entry) => entry.batch === 0 && entry.epoch > 0);
  let bestEntry: LedgerEntry | undefined;
  for (const entry of epochEnds) if (isBetter(best, entry.metrics, bestEntry?.metrics ?? null)) bestEntry = entry;
  keep(bestEntry, 'best');
  for (const entry of epochEnds.slice(-policy.last)) keep(entry, 'last');
  if (policy.everyEpochs > 0) {
    for (const entry of epochEnds) if (entry.epoch % policy.everyEpochs === 0) keep(entry, 'every');
  }
  const newest = entries.at(-1);
  keep(newest, 'resume');
  if (newest?.stored === false) {
    // It may be damaged before it is stored: then this is what the run resumes from, or all that it has.
    const before = entries.slice(0, -1);
    const fallback = before.findLast(({ stored }) => stored) ?? before.at(-1);
    for (const entry of before) {
      if ((entry === fallback || storing.includes(entry.name)) && !reasons.has(entry.name)) keep(entry, 'fallback');
    }
  }
  return reasons;
}

/** What is left when only these have landed, with the reasons that the policy gives among them. */
export function landedOf(
  ledger: readonly LedgerEntry[],
  checkpoints: Receipt['checkpoints'],
  policy: CheckpointPolicy,
  best: Best,
): { ledger: LedgerEntry[]; checkpoints: Receipt['checkpoints'] } {
  const entries = ledger
    .filter(({ name }) => checkpoints.some((landed) => landed.name === name))
    .map((entry) => ({ ...entry, stored: true }));
  const reasons = keepReasons(entries, policy, best, []);
  const withReasons = <T extends { name: string }>(one: T) => ({ ...one, reasons: reasons.get(one.name) ?? [] });
  return { ledger: entries.map(withReasons), checkpoints: checkpoints.map(withReasons) };
}

/** What is left when `host` is gone: only what the store holds. */
export function withoutHost(ledger: readonly LedgerEntry[], host: string): LedgerEntry[] {
  return ledger.filter((entry) => entry.stored || entry.host !== host);
}
