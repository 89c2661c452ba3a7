/** A term of a search as SQL over the tables of the index: what `matchesSearch` says of a run, said of all of them. Pure. */
import { type SearchTerm, timeFields } from '../../contracts/run-search.ts';

export interface Sql {
  text: string;
  values: (string | number | null)[];
}

/** `r`: the run. `idOf`: the number of the field that a name means; `idsWith`: those of the runs that have a word, in lower case. */
export function conditionOf(
  term: SearchTerm,
  idOf: (field: string) => number,
  idsWith: (word: string) => number[],
): Sql {
  if (term.kind === 'word') {
    const found = JSON.stringify(idsWith(term.text.toLowerCase()));
    return { text: `r.id ${term.negated ? 'NOT ' : ''}IN (SELECT value FROM json_each(?))`, values: [found] };
  }
  const { text, values } = compared(term, idOf);
  return { text: term.negated ? `NOT (${text})` : text, values };
}

function compared(term: SearchTerm & { kind: 'comparison' }, idOf: (field: string) => number): Sql {
  const { operator, number, value } = term;
  const field = idOf(term.field);
  const text = value.toLowerCase();
  const some = (condition: string) =>
    `EXISTS (SELECT 1 FROM vals v WHERE v.field = ? AND v.run = r.id AND ${condition})`;
  const equal: Sql =
    number === null
      ? { text: some('v.text = ?'), values: [field, text] }
      : { text: some('(v.number = ? OR v.text = ?)'), values: [field, number, text] };
  if (operator === '=') return equal;
  if (operator === '!=') return { text: `(${some('1')} AND NOT ${equal.text})`, values: [field, ...equal.values] };
  if (timeFields.includes(term.field)) return { text: some(`v.text ${operator} ?`), values: [field, text] };
  // Nothing is less than null, nor more.
  return { text: some(`v.number ${operator} ?`), values: [field, number] };
}
