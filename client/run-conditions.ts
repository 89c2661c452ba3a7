/** What `epochal ls` is asked for: a search, and an order. Pure. */
import { shownValue } from '../contracts/config-problems.ts';
import { parseSearch, problemText, type SearchTerm } from '../contracts/run-search.ts';
import { ConfigError } from './errors.ts';
import { type FieldValue, fieldOf, type ListedRun } from './run-fields.ts';

/** `option`: where it was written. Throws ConfigError that names the place. */
export function termsOf(option: string, text: string): SearchTerm[] {
  const { terms, problem } = parseSearch(text);
  if (problem)
    throw new ConfigError([], { message: `${option} is ${shownValue(text)}: ${problemText(text, problem)}` });
  return terms;
}

/** `lr0`, or `-lr0` for the largest first. */
export function parseOrder(text: string): { field: string; descending: boolean } {
  const descending = text.startsWith('-');
  const field = (descending ? text.slice(1) : text).trim();
  if (field === '')
    throw new ConfigError([], { message: '--sort is empty: must be a field, with - before it for the largest first' });
  return { field, descending };
}

/** A new list. Runs without a value come last either way; of equals the newest stays first. */
export function inOrder<R extends ListedRun>(runs: readonly R[], field: string, descending: boolean): R[] {
  const direction = descending ? -1 : 1;
  const compare = (a: FieldValue, b: FieldValue): number => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    // Numbers before text, whatever the direction: they cannot be compared.
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
    return a === b ? 0 : a < b ? -direction : direction;
  };
  return [...runs].sort((a, b) => compare(fieldOf(a, field), fieldOf(b, field)));
}
