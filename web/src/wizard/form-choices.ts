/** What the pickers of a trainer's form offer, and what a choice of theirs writes. */
import { type DataSetSummary, dataSetKindSchema } from '../../../contracts/data-set.ts';
import { isSame, type Json } from './plain-json.ts';

/** Data sets that a trainer of these kinds reads, each path once. One with kinds of its own alone may read any. */
export function dataSetsFor(kinds: readonly string[], offered: readonly DataSetSummary[]): DataSetSummary[] {
  const known = kinds.filter((kind) => dataSetKindSchema.safeParse(kind).success);
  const byPath = new Map<string, DataSetSummary>();
  for (const one of offered)
    if ((known.length === 0 || known.includes(one.kind)) && !byPath.has(one.data)) byPath.set(one.data, one);
  return [...byPath.values()];
}

/** Texts of a list that somebody may have written by hand. */
export const textsIn = (value: Json | undefined): string[] =>
  Array.isArray(value) ? [...new Set(value.filter((one) => typeof one === 'string'))] : [];

/** Those of the data set, and below them what was chosen of another one, so that it can be taken away. */
export function classesToChoose(
  classes: readonly { name: string; marks: number }[],
  chosen: readonly string[],
): { value: string; label: string }[] {
  const counted = new Map(classes.map(({ name, marks }) => [name, `${name} (${marks.toLocaleString('en')})`]));
  const gone = chosen.filter((name) => !counted.has(name));
  return [
    ...[...counted].map(([value, label]) => ({ value, label })),
    ...gone.map((name) => ({ value: name, label: `${name} (not in the data set)` })),
  ];
}

/** What is the default anyway is not written. */
export const writtenChoice = (name: string, chosen: readonly string[], standard: unknown): Record<string, Json> =>
  isSame(chosen, standard) ? {} : { [name]: [...chosen] };
