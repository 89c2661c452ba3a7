/**
 * What zod says of a bad input, told to a person: one problem a field, each with the field, its value and what is
 * allowed. Pure and deterministic: the workflow calls it too.
 */
import { z } from 'zod';
import type { ConfigProblem } from './failure.ts';
import { runConfigSchema } from './run-config.ts';

const longestValue = 80;

/** More help nobody. They travel in answers and payloads, and each costs some work. */
export const mostProblems = 50;

/**
 * The problems that `error` found in `input`, in its order, the first of each field; where there are more than `mostProblems`, the
 * last one says so. Unknown fields are compared with those that `schema` has at that place, to suggest the one that was meant.
 */
export function problemsOf(error: z.ZodError, input: unknown, schema: z.ZodType = runConfigSchema): ConfigProblem[] {
  const problems = new Map<string, ConfigProblem>();
  // Fields that are missing because they are misspelt: that is one problem, and is told of the name that was written.
  const misspelt = new Set<string>();
  // zod reports the limit of safe integers beside a field's own one, which says more.
  const issues = [...error.issues].sort((a, b) => Number('note' in a) - Number('note' in b));
  for (const issue of issues) {
    for (const { meant, ...problem } of problemsOfIssue(issue, input, schema)) {
      if (meant !== undefined) {
        misspelt.add(meant);
        problems.delete(meant);
      }
      if (problems.has(problem.field) || misspelt.has(problem.field)) continue;
      if (problems.size === mostProblems) {
        const more = { field: '', value: 'wrong in more places', message: `only the first ${mostProblems} are shown` };
        return [...problems.values(), more];
      }
      problems.set(problem.field, problem);
    }
  }
  return [...problems.values()];
}

/** A value as a problem shows it: JSON on one line, shortened, `missing` where there is none. */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'missing';
  // JSON would call these null.
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value === 'string' && value.length > longestValue)
    return shownValue(`${value.slice(0, longestValue - 3)}…`);
  let text: string;
  try {
    text = JSON.stringify(value) ?? `a ${typeof value}`;
  } catch {
    text = 'something that is not JSON';
  }
  return shortened(text);
}

/** The path of a field as it is written in YAML: `checkpoints.best.mode`, `parameters.layers[2]`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else {
      const key = String(part);
      text += `${text && '.'}${/^[\w-]{1,100}$/.test(key) ? key : shortened(JSON.stringify(key))}`;
    }
  }
  return text;
}

/** `meant`: the missing field that an unknown one is taken for. */
function* problemsOfIssue(
  issue: z.core.$ZodIssue,
  input: unknown,
  schema: z.ZodType,
): Generator<ConfigProblem & { meant?: string }> {
  if (issue.code === 'unrecognized_keys') {
    const parent = valueAt(input, issue.path);
    const known = knownKeys(schema, issue.path);
    let isListed = false;
    for (const key of issue.keys) {
      // What is known is said once of each place.
      const near = nearest(key, known);
      const others = isListed || known.length === 0 ? 'leave it out' : `known fields are ${known.join(', ')}`;
      if (near === null) isListed = true;
      yield {
        field: fieldPath([...issue.path, key]),
        value: shownValue(valueAt(parent, [key])),
        message: `unknown field; ${near === null ? others : `did you mean ${near}?`}`,
        ...(near === null || valueAt(parent, [near]) !== undefined ? {} : { meant: fieldPath([...issue.path, near]) }),
      };
    }
    return;
  }
  yield {
    field: fieldPath(issue.path),
    value: shownValue(valueAt(input, issue.path)),
    message: allowed(issue, schemaAt(schema, issue.path)),
  };
}

/** What is allowed, as a clause that follows "field is value: ". */
function allowed(issue: z.core.$ZodIssue, at?: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'number' && at instanceof z.ZodNumberFormat) return 'must be a whole number';
      return `must be ${typeNames[issue.expected] ?? `of type ${issue.expected}`}`;
    case 'invalid_value':
      return `must be ${inWords(formsOf(issue))}`;
    case 'too_small':
      return limit('at least', issue.minimum, issue.origin, issue.inclusive ?? true, 'more than');
    case 'too_big':
      return limit('at most', issue.maximum, issue.origin, issue.inclusive ?? true, 'less than');
    case 'invalid_union': {
      // The alternatives together say little to a person, except when there is but one that has the right type.
      const fitting = issue.errors.filter(
        ([first]) =>
          first && first.code !== 'invalid_value' && !(first.code === 'invalid_type' && first.path.length === 0),
      );
      const [one, ...others] = fitting;
      const only =
        others.length === 0 ? (one?.find(({ code }) => code === 'unrecognized_keys') ?? one?.[0]) : undefined;
      if (only) return allowed(only);
      const forms = issue.errors.flatMap(([first]) => (first ? formsOf(first) : []));
      return forms.length > 0
        ? `must be ${inWords([...new Set(forms)])}`
        : 'is not one of the forms that are allowed here';
    }
    case 'unrecognized_keys':
      return `has the unknown field ${issue.keys.join(', ')}`;
    case 'invalid_key':
      return 'has a key that is not allowed here';
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    default:
      return issue.message;
  }
}

function formsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value')
    return issue.values.map((value) => (typeof value === 'string' ? JSON.stringify(value) : String(value)));
  return issue.code === 'invalid_type' && issue.path.length === 0 ? [typeNames[issue.expected] ?? issue.expected] : [];
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping of fields to values',
  record: 'a mapping of names to values',
  array: 'a list',
  null: 'null',
};

const units: Readonly<Record<string, string>> = { string: 'character', array: 'element', set: 'element' };

function limit(
  inclusiveWord: string,
  bound: number | bigint,
  origin: string,
  inclusive: boolean,
  exclusiveWord: string,
): string {
  const unit = units[origin];
  if (unit && inclusiveWord === 'at least' && inclusive && Number(bound) === 1) return 'must not be empty';
  const words = `${inclusive ? inclusiveWord : exclusiveWord} ${bound}`;
  return unit ? `must have ${words} ${unit}${Number(bound) === 1 ? '' : 's'}` : `must be ${words}`;
}

const inWords = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? 'something else') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): unknown {
  let at = unwrapped(schema);
  for (const key of path) {
    if (at instanceof z.ZodArray && typeof key === 'number') {
      at = unwrapped(at.element);
      continue;
    }
    if (!(at instanceof z.ZodObject) || !Object.hasOwn(at.shape, key)) return undefined;
    at = unwrapped(Reflect.get(at.shape, key));
  }
  return at;
}

/** The fields that `schema` knows at `path`; none where it is open or not an object. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const at = schemaAt(schema, path);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  let at = schema;
  while (
    at instanceof z.ZodOptional ||
    at instanceof z.ZodNullable ||
    at instanceof z.ZodDefault ||
    at instanceof z.ZodPrefault
  )
    at = at.unwrap();
  return at;
}

function nearest(key: string, known: readonly string[]): string | null {
  const [near] = known
    .map((candidate) => ({
      candidate,
      distance: editDistance(key.slice(0, 100).toLowerCase(), candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance);
  // Two edits at the most: long names share their ends (`…Seconds`), which does not make them misspellings of each other.
  return near && near.distance <= Math.min(2, Math.max(1, Math.floor(near.candidate.length / 3)))
    ? near.candidate
    : null;
}

/** Levenshtein's distance, with a swap of two neighbours counted as one edit. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((row[j - 1] ?? 0) + 1, (previous[j] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (beforePrevious[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** One line of printable text: what could move a cursor or reorder a line is shown as an escape. */
function shortened(text: string): string {
  const cut = text.length > longestValue ? `${text.slice(0, longestValue - 1)}…` : text;
  return cut.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (char) => `\\u${char.codePointAt(0)?.toString(16).padStart(4, '0')}`,
  );
}
