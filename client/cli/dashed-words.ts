/** Values that begin with a minus, which would be taken for options: an order, and terms of a search that are negated. Pure. */

const operators = ['=', '!=', '<', '<=', '>', '>='];
/** Not of an option with two of them, nor a number, which is taken as it is. */
const isDashed = (word: string | undefined): word is string =>
  word !== undefined && /^-[^-]/.test(word) && !/^-[\d.]+$/.test(word);

/** Each of them as one word with the option that it is for. */
export function withDashedWords(args: readonly string[]): string[] {
  const words: string[] = [];
  const isSearch = args[0] === 'ls';
  for (let at = 0; at < args.length; at++) {
    const [word = '', next] = args.slice(at);
    if (word === '--') return [...words, ...args.slice(at)];
    if ((word === '--sort' || (isSearch && word === '--where')) && isDashed(next)) {
      words.push(`${word}=${next}`);
      at++;
    } else if (isSearch && isDashed(word) && word !== '-h') {
      // `-lr0 > 0.1`, whose operator may be a word of its own.
      const length = operators.includes(next ?? '') ? 3 : 1;
      words.push(`--where=${args.slice(at, at + length).join(' ')}`);
      at += length - 1;
    } else words.push(word);
  }
  return words;
}
