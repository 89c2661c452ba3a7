/** Runs that could not end themselves: what is asked of whom to publish what is left of them. */
import { z } from 'zod';
import { originSchema } from './asked.ts';
import { type LedgerEntry, ledgerEntrySchema } from './checkpoint.ts';
import { runAt } from './life.ts';
import { epochResultSchema } from './protocol.ts';
import { receiptSchema } from './receipt.ts';
import { type RunConfig, storedRunConfigSchema } from './run-config.ts';
import { extensible } from './tolerance.ts';

export const salvageType = 'salvage';
export const reconcileType = 'reconcile';

/** Workflow id of the salvage of what is at `place`, a run's or one of its lives': one at a time. */
const salvagePrefix = 'salvage-';
export const salvageId = (place: string): string => `${salvagePrefix}${place}`;
export const placeOfSalvage = (id: string): string =>
  id.startsWith(salvagePrefix) ? id.slice(salvagePrefix.length) : id;
export const runOfSalvage = (id: string): string => runAt(placeOfSalvage(id));

export interface SalvageInput {
  run: string;
  place: string;
  /** The life that left the files; null: the host has it in the run folder. */
  chain: readonly string[] | null;
  /** Null: the host has it in the run folder. */
  config: RunConfig | null;
  /** What the run knew of its checkpoints; empty when that is no longer known. */
  ledger: readonly LedgerEntry[];
  /** The host that has the run folder, where it is known. */
  host: string | null;
  pool: string;
  /** How long the host may take to answer before its run is salvaged from the store alone. */
  hostReturnSeconds?: number;
}

/** What is left of a run, on a host or in the store. */
export const surveySchema = extensible({
  config: storedRunConfigSchema.nullable(),
  /** Of the life whose files these are; null where only a host can tell. */
  chain: z.array(z.string()).nullable(),
  /** As the run folder has it. */
  origin: originSchema.optional(),
  checkpoints: z.array(ledgerEntrySchema),
  epochs: z.array(epochResultSchema),
  /** A receipt that the run wrote itself, or a salvage before this one. */
  receipt: receiptSchema.nullable(),
  /** Where the run lands; null where only the store can tell. */
  outputFolder: z.string().nullable(),
});
export type Survey = z.infer<typeof surveySchema>;

export interface SalvageActivities {
  /** On the host's queue: ends what still trains, and tells what the run folder holds. Refuses a life that is open. */
  surveyHost(place: string): Promise<Survey>;
  /** On the pool's control queue: tells what the store holds. */
  surveyStore(input: { place: string; config: RunConfig }): Promise<Survey>;
  /** On the workflow queue: runs that closed without a receipt and that nobody has salvaged. */
  findLostRuns(): Promise<SalvageInput[]>;
}
