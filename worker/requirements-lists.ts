/** Requirements as they are handed to an installer: those with hashes apart from the others. */
import { basename } from 'node:path';

export interface RequirementsLists {
  /** Lines that name a file by its hashes, with whatever tells where packages are; empty where there are none. */
  hashed: string[];
  /** Everything else, to be installed after those and on top of them. */
  others: string[];
}

const hasHash = (line: string) => /\s--hash[= ]/.test(line);
const tellsWhere = (line: string) =>
  /^(-i|--index-url|--extra-index-url|-f|--find-links|--no-index|--trusted-host)\b/.test(line);

/**
 * An installer that is given one hash asks for one of every package, also of torch, whose files differ by the index that they come
 * from. So there are two lists: of the first nothing is installed but what is in it.
 */
export function requirementsLists(requirements: readonly string[]): RequirementsLists {
  const hashed = requirements.filter(hasHash);
  const others = requirements.filter((line) => !hasHash(line));
  return { hashed: hashed.length > 0 ? [...others.filter(tellsWhere), ...hashed] : [], others };
}

/** `numpy==2.4.6; …` of a line with hashes, for people. */
export const withoutHashes = (line: string): string => line.replace(/\s+--hash[= ]\S+/g, '');

/** `requirements.lock` beside a `requirements.txt`: the same packages and all that they need, each with its hashes. */
export const lockOf = (file: string): string | null =>
  basename(file) === 'requirements.txt' ? file.replace(/\.txt$/, '.lock') : null;
