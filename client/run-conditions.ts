/** `lr0 > 0.01`: conditions on the fields of runs, and their order. Pure. */
import { shownValue } from '../contracts/config-problems.ts';
import { ConfigError } from './errors.ts';
import { type FieldValue, fieldOf, type ListedRun } from './run-fields.ts';

const operators = ['<=', '>=', '!=', '=', '<', '>'] as const;
type Operator = (typeof operators)[number];

export interface Condition {
  field: string;
  operator: Operator;
  wanted: string | number;
}

/** One field, one operator, one value; text may be in quotes. Throws ConfigError. */
export function parseCondition(text: string): Condition {
  const [, field, operator, value] = /^\s*([^<>=!]+?)\s*(<=|>=|!=|=|<|>)\s*([^<>=!\s].*?)\s*$/s.exec(text) ?? [];
  if (field === undefined || value === undefined || !isOperator(operator)) throw problem(text, allowed);
  const wanted = valueIn(value);
  if (wanted === null) throw problem(text, `${value} must be one value; ${allowed}`);
  if (typeof wanted === 'string' && operator !== '=' && operator !== '!=')
    throw problem(text, `${operator} must be followed by a number; text is compared with = or !=`);
  return { field, operator, wanted };
}

const allowed = `must be a field, one of ${operators.join(' ')}, and a number or text, e.g. "lr0 > 0.01"; several --where must all hold`;

const problem = (text: string, message: string) =>
  new ConfigError([], { message: `--where is ${shownValue(text)}: ${message}` });

const isOperator = (text: string | undefined): text is Operator => operators.some((one) => one === text);

/** Null for what is not a value: words that would be an expression in another language. */
function valueIn(text: string): string | number | null {
  const [, quoted] = /^"([^"]*)"$|^'([^']*)'$/.exec(text) ?? [];
  if (quoted !== undefined) return quoted;
  if (/^'[^']*'$/.test(text)) return text.slice(1, -1);
  if (/[\s"'()&|]/.test(text)) return null;
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** A run without a value matches no condition on it, not even `!=`. */
export function matches(run: ListedRun, { field, operator, wanted }: Condition): boolean {
  const value = fieldOf(run, field);
  if (value === null) return false;
  if (operator === '=') return isEqual(value, wanted);
  if (operator === '!=') return !isEqual(value, wanted);
  if (typeof value !== 'number' || typeof wanted !== 'number') return false;
  if (operator === '<') return value < wanted;
  if (operator === '<=') return value <= wanted;
  return operator === '>' ? value > wanted : value >= wanted;
}

const isEqual = (value: string | number, wanted: string | number): boolean =>
  typeof value === typeof wanted ? value === wanted : String(value) === String(wanted);

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
