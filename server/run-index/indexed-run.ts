/** What the index has of a run beside what Temporal lists: read from the run itself, kept for as long as the run is the same. Pure. */
import { z } from 'zod';
import { fieldOf, fieldsOf, knownFields, needsView, textOf, valuesOf } from '../../client/run-fields.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import type { SearchValue } from '../../contracts/run-search.ts';
import type { RunSummary } from '../../contracts/run-summary.ts';

export const detailsSchema = z.object({
  /** Its parameters, its metrics, and what else only the run knows. */
  fields: z.array(z.tuple([z.string(), z.union([z.string(), z.number()])])),
  /** What words are looked for in, in lower case. */
  text: z.string(),
});
export type RunDetails = z.infer<typeof detailsSchema>;

const mostFields = 500;
const longestName = 200;
const longestValue = 500;
const longestText = 20_000;

export function detailsOf(summary: RunSummary, view: RunView): RunDetails {
  const run = { summary, view };
  const names = [...knownFields.filter(needsView), ...fieldsOf(run)].filter((name) => name.length <= longestName);
  const fields = names.slice(0, mostFields).flatMap((name): RunDetails['fields'] => {
    const value = fieldOf(run, name);
    return value === null ? [] : [[name, bounded(value)]];
  });
  return { fields, text: textOf(run).slice(0, longestText) };
}

/** Fields that Temporal lists of every run. */
export const listedFields = knownFields.filter((name) => !needsView(name));

/** All fields of a run, those that Temporal lists first. */
export function rowsOf(summary: RunSummary, details: RunDetails | null): [string, SearchValue[]][] {
  const run = { summary, view: null };
  const listed = listedFields.map((name) => [name, valuesOf(run, name)] as const);
  const told = (details?.fields ?? []).map(([name, value]) => [name, [value]] as const);
  return [...listed, ...told].map(([name, values]) => [name, [...values]]);
}

export const wordsOf = (summary: RunSummary, details: RunDetails | null): string =>
  details?.text ?? textOf({ summary, view: null });

/** Of a run that is over, details with this hold for ever; another life of the run, or a later salvage, has another one. */
export const versionOf = ({ createdAt, closedAt, outcome }: RunSummary): string =>
  [createdAt, closedAt, outcome].join(' ');

const bounded = (value: SearchValue): SearchValue => (typeof value === 'string' ? value.slice(0, longestValue) : value);
