/** The language of searches: what its terms are, and where it says that something is wrong. */
import { expect, it } from 'vitest';
import { longestSearch, parseSearch, problemText } from '../../contracts/run-search.ts';

const shown = (text: string): string[] => {
  const { terms, problem } = parseSearch(text);
  expect(problem).toBe(null);
  return terms.map(
    (term) =>
      (term.negated ? 'not ' : '') +
      (term.kind === 'word' ? term.text : `${term.field}|${term.operator}|${term.value}`),
  );
};

it.each([
  ['', []],
  ['  digits   "two words" ', ['digits', 'two words']],
  ['val_accuracy > 0.97 lr<0.01', ['val_accuracy|>|0.97', 'lr|<|0.01']],
  [
    'label:x state:"not known" -state:failed -tiny',
    ['label|=|x', 'state|=|not known', 'not state|=|failed', 'not tiny'],
  ],
  ['"val loss" >= -1e-3 metrics/mAP50(B) != 3', ['val loss|>=|-1e-3', 'metrics/mAP50(B)|!=|3']],
  ["data = '/d/my set' run = -x", ['data|=|/d/my set', 'run|=|-x']],
  ['data:file:///d/x note:""', ['data|=|file:///d/x', 'note|=|']],
  ['"and" android', ['and', 'android']],
  ['started > 2030-01-31', ['started|>|2030-01-31']],
])('%s', (text, terms) => expect(shown(text)).toEqual(terms));

it.each([
  ['lr >', 'at 4, ">": must be followed by a number or text'],
  ['lr > <', 'at 4, "> ": must be followed'],
  ['lr == 3', 'at 4, "=": must be followed'],
  ['> 3', 'at 1, ">": must come after a field'],
  ['0 < 1 < lr', 'at 7, "<": must come after a field'],
  ['lr > 0.1 and loss < 1', 'at 10, "and": is not part of the search language'],
  ['lr > big', 'at 6, "big": must be a number after >'],
  ['started > yesterday', 'at 11, "yesterday": must be a date or a time in UTC'],
  ['digits "two words', 'at 8, "\\"two words": must end with "'],
  ['digits -', 'at 8, "-": must be followed by a word or a comparison'],
  ['label: x', 'at 6, ":": must be followed'],
  ['label :x', 'at 7, ":": must come after a field'],
  ['x ""', 'at 3, "\\"\\"": must have text'],
  ['""=3', 'must name a field'],
  ['x'.repeat(longestSearch + 1), 'must have at most 500 characters'],
  ['x '.repeat(31), 'must have at most 30 terms'],
])('%s is refused at its place', (text, message) => {
  const { problem } = parseSearch(text);
  if (problem === null) throw new Error('it was taken');
  expect(problemText(text, problem)).toContain(message);
});
