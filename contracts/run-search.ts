/**
 * The language in which runs are searched, in the web UI, the API and `epochal ls`. Pure.
 *
 * `digits label:baseline val_accuracy > 0.97 -state:failed "two words"`: all terms must hold. A word is found anywhere in names,
 * labels, notes and parameters; `field:value` is `field = value`; `-` before a term negates it.
 */

export const searchOperators = ['<=', '>=', '!=', '=', '<', '>', ':'] as const;
export type Operator = Exclude<(typeof searchOperators)[number], ':'>;

/** Characters of the text that was searched for. */
export interface Place {
  start: number;
  end: number;
}

export type SearchTerm = { negated: boolean; place: Place } & (
  | { kind: 'word'; text: string }
  | {
      kind: 'comparison';
      field: string;
      operator: Operator;
      value: string;
      /** What `value` says as a number; null where it says none. */
      number: number | null;
    }
);

export interface SearchProblem extends Place {
  /** What is wrong there, as what follows “it”: `must be …`. */
  message: string;
}

export interface ParsedSearch {
  terms: SearchTerm[];
  /** The first one: what comes after it may be meant in another way. */
  problem: SearchProblem | null;
}

export const longestSearch = 500;
const mostTerms = 30;

/** Fields that hold a time, as ISO 8601 in UTC: they are compared as text, with a date or the beginning of a time. */
export const timeFields: readonly string[] = ['created', 'started', 'ended'];

const timeText = /^\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?Z?)?)?)?$/;
const otherLanguages = new Set(['and', 'or', 'not', '&&', '||']);

class Problem extends Error {
  constructor(
    readonly start: number,
    readonly end: number,
    message: string,
  ) {
    super(message);
  }
}

export function parseSearch(text: string): ParsedSearch {
  const terms: SearchTerm[] = [];
  try {
    if (text.length > longestSearch)
      throw new Problem(longestSearch, text.length, `must have at most ${longestSearch} characters`);
    const reader = new Reader(text);
    for (reader.skipSpace(); !reader.isAtEnd; reader.skipSpace()) {
      terms.push(termAt(reader));
      if (terms.length > mostTerms) throw new Problem(reader.at, text.length, `must have at most ${mostTerms} terms`);
    }
    return { terms, problem: null };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { start, end, message } = error;
    return { terms, problem: { start, end, message } };
  }
}

/** A sentence for people; the places count from 1. */
export const problemText = (text: string, { start, end, message }: SearchProblem): string =>
  end > start
    ? `at ${start + 1}, ${JSON.stringify(text.slice(start, end))}: ${message}`
    : `at ${start + 1}: ${message}`;

function termAt(reader: Reader): SearchTerm {
  const start = reader.at;
  const negated = reader.take('-');
  const nameStart = reader.at;
  const name = reader.text(/[\s"':<>=]|!=/);
  if (name === null) {
    const operator = reader.operator();
    if (operator === null) throw new Problem(start, reader.at, 'must be followed by a word or a comparison');
    throw new Problem(
      nameStart,
      reader.at,
      'must come after a field; each end of a range is a comparison of its own, as in "lr > 0.001 lr < 0.1"',
    );
  }
  const nameEnd = reader.at;
  const operator = reader.operator();
  const place = () => ({ start, end: reader.at });
  if (operator === null) {
    if (!name.quoted && otherLanguages.has(name.text.toLowerCase()))
      throw new Problem(
        nameStart,
        nameEnd,
        'is not part of the search language: all terms must hold, and - before a term negates it; put the word in quotes to search for it',
      );
    if (name.text === '') throw new Problem(nameStart, nameEnd, 'must have text between its quotes');
    return { kind: 'word', text: name.text, negated, place: place() };
  }
  if (name.text === '') throw new Problem(nameStart, nameEnd, 'must name a field');
  const operatorAt = reader.at - operator.length;
  if (operator !== ':') reader.skipSpace();
  const valueStart = reader.at;
  const value = reader.text(/[\s"'<>=]|!=/);
  if (value === null)
    throw new Problem(operatorAt, Math.max(reader.at, operatorAt + 1), 'must be followed by a number or text');
  const { text } = value;
  const number = text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : null;
  const isOrder = operator !== ':' && operator !== '=' && operator !== '!=';
  if (isOrder && timeFields.includes(name.text)) {
    if (!timeText.test(text))
      throw new Problem(valueStart, reader.at, 'must be a date or a time in UTC, such as 2030-01-31');
  } else if (isOrder && number === null) {
    throw new Problem(valueStart, reader.at, `must be a number after ${operator}; text is compared with = or !=`);
  }
  return {
    kind: 'comparison',
    field: name.text,
    operator: operator === ':' ? '=' : operator,
    value: text,
    number,
    negated,
    place: place(),
  };
}

class Reader {
  at = 0;

  constructor(private readonly all: string) {}

  get isAtEnd(): boolean {
    return this.at >= this.all.length;
  }

  skipSpace(): void {
    while (/\s/.test(this.all[this.at] ?? '')) this.at++;
  }

  take(expected: string): boolean {
    if (!this.all.startsWith(expected, this.at)) return false;
    this.at += expected.length;
    return true;
  }

  /** Also after spaces, but for `:`, which would otherwise begin a word. Where there is none, nothing is read. */
  operator(): (typeof searchOperators)[number] | null {
    const before = this.at;
    this.skipSpace();
    const found = searchOperators.find((operator) => this.take(operator));
    if (found !== undefined && (found !== ':' || this.at === before + 1)) return found;
    this.at = before;
    return null;
  }

  /** What is quoted, or goes to `end`; null where there is neither. */
  text(end: RegExp): { text: string; quoted: boolean } | null {
    const quote = this.all[this.at];
    if (quote === '"' || quote === "'") {
      const closed = this.all.indexOf(quote, this.at + 1);
      if (closed < 0) throw new Problem(this.at, this.all.length, `must end with ${quote}`);
      const text = this.all.slice(this.at + 1, closed);
      this.at = closed + 1;
      return { text, quoted: true };
    }
    const rest = this.all.slice(this.at);
    const length = rest.search(end);
    const text = length < 0 ? rest : rest.slice(0, length);
    if (text === '') return null;
    this.at += text.length;
    return { text, quoted: false };
  }
}

export type SearchValue = string | number;

/** A run as it is searched. */
export interface SearchedRun {
  /** All values of a field; none: the run has none. */
  values(field: string): readonly SearchValue[];
  /** What words are looked for in, in lower case. */
  text: string;
}

/** The fields of comparisons as `resolveField` answers them. */
export const matchesSearch = (run: SearchedRun, terms: readonly SearchTerm[]): boolean =>
  terms.every((term) => holds(run, term) !== term.negated);

function holds(run: SearchedRun, term: SearchTerm): boolean {
  if (term.kind === 'word') return run.text.includes(term.text.toLowerCase());
  const values = run.values(term.field);
  // A run without a value matches no comparison, not even `!=`; it does match a negated one.
  if (term.operator === '!=') return values.length > 0 && !values.some((value) => isEqual(value, term));
  if (term.operator === '=') return values.some((value) => isEqual(value, term));
  const { operator, number, value: wanted } = term;
  if (timeFields.includes(term.field))
    return values.some((value) => typeof value === 'string' && inOrder(operator, value, wanted));
  return values.some((value) => typeof value === 'number' && number !== null && inOrder(operator, value, number));
}

const isEqual = (value: SearchValue, { value: text, number }: { value: string; number: number | null }): boolean =>
  typeof value === 'number' ? value === number : value.toLowerCase() === text.toLowerCase();

function inOrder<T extends SearchValue>(operator: Operator, value: T, wanted: T): boolean {
  if (operator === '<') return value < wanted;
  if (operator === '<=') return value <= wanted;
  return operator === '>' ? value > wanted : value >= wanted;
}
