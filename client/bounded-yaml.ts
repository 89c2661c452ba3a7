/**
 * YAML that somebody else may have written. A short text can ask for much work: a key that is compared with all before it,
 * a merge that is expanded wherever it is used, an error for each character. So all of that is bounded, and what there is to
 * do grows with the length of the text.
 */
import { createRequire } from 'node:module';
import type { CST, Document, LineCounter, Node } from 'yaml';

const require = createRequire(import.meta.url);
/** Loaded with the first text: help and most commands read none. */
const yaml = (): typeof import('yaml') => require('yaml');

/** A configuration is written by hand: what is larger is some other file. */
export const yamlLimits = {
  characters: 200_000,
  /** Keys, list elements and the values of both; what an alias or a merge stands for counts wherever it stands. */
  values: 25_000,
  depth: 64,
  aliases: 1_000,
  /** Of all texts, where aliases and merges are written out. */
  writtenOut: 1_000_000,
} as const;

/** Why a text cannot be read. `place` is null for what is wrong with all of it. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
  readonly place: Place | null;

  constructor(message: string, place: Place | null, cause?: unknown) {
    super(message, { cause });
    this.place = place;
  }
}

/** Both count from 1. */
export interface Place {
  line: number;
  column: number;
}

export interface BoundedYaml {
  value: unknown;
  /** Where the key at this path is; of one that is missing, where the mapping around it begins. Null for a text without content. */
  placeOf(path: readonly (string | number)[]): Place | null;
}

/** Throws YamlError. */
export function readBoundedYaml(text: string): BoundedYaml {
  const lines = new (yaml().LineCounter)();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (text.length > yamlLimits.characters) throw tooMuch(yamlLimits.characters, 'characters');
  const document = compose(text, lines, placeAt);
  const [error] = document.errors;
  if (error) throw new YamlError(error.message.split('\n')[0] ?? '', placeAt(error.pos[0]), error);
  new Sizes(placeAt).of(document.contents);
  try {
    // What aliases multiply to was counted.
    const value: unknown = document.toJS({ maxAliasCount: -1 });
    return {
      value,
      placeOf: (path) => {
        const offset = offsetOf(document.contents, path);
        return offset === null ? null : placeAt(offset);
      },
    };
  } catch (cause) {
    throw new YamlError(cause instanceof Error ? cause.message : String(cause), null, cause);
  }
}

/** One document. The first error ends it: a text that is none at all has one at each character. */
function compose(text: string, lines: LineCounter, placeAt: (offset: number) => Place): Document.Parsed {
  const parser = new (yaml().Parser)(lines.addNewLine);
  // Equal keys are looked for by `Sizes`: the library compares each key with all before it.
  const composer = new (yaml().Composer)({ prettyErrors: false, merge: true, uniqueKeys: false, logLevel: 'silent' });
  let document: Document.Parsed | null = null;
  const take = (composed: Iterable<Document.Parsed>) => {
    for (const next of composed) {
      if (document !== null) throw new YamlError('it has more than one document', placeAt(next.range[0]));
      document = next;
    }
  };
  for (const token of parser.parse(text)) {
    if (token.type === 'error') throw new YamlError(token.message, placeAt(token.offset));
    requireBounded(token, placeAt);
    take(composer.next(token));
  }
  take(composer.end(document === null, text.length));
  if (document === null) throw new YamlError('it has no document', null);
  return document;
}

/** Depth and number of what was read, before anything is made of it: making it calls itself, and tells every error. */
function requireBounded(root: CST.Token, placeAt: (offset: number) => Place): void {
  const open: { token: CST.Token; depth: number }[] = [{ token: root, depth: 0 }];
  let values = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > yamlLimits.depth) throw tooMuch(yamlLimits.depth, 'mappings and lists within each other');
    if (token.type === 'document' && token.value) open.push({ token: token.value, depth });
    if (!('items' in token)) continue;
    for (const item of token.items) {
      values++;
      // A row of commas is one element with an error for each.
      const [, extra] = item.start.filter(({ type }) => type === 'comma');
      if (extra) throw new YamlError('a comma follows a comma', placeAt(extra.offset));
      for (const part of [item.key, item.value]) if (part) open.push({ token: part, depth: depth + 1 });
    }
    if (values > yamlLimits.values) throw tooMuch(yamlLimits.values, 'values');
  }
}

interface Size {
  values: number;
  characters: number;
}

/** How much a node is with its aliases and merges written out: each anchor is measured once. */
class Sizes {
  readonly #anchors = new Map<string, Size | 'open'>();
  #aliases = 0;

  constructor(readonly placeAt: (offset: number) => Place) {}

  of(node: unknown): Size {
    const size: Size = { values: 1, characters: 0 };
    if (!yaml().isNode(node)) return size;
    if (yaml().isAlias(node)) {
      if (++this.#aliases > yamlLimits.aliases) throw tooMuch(yamlLimits.aliases, 'aliases');
      const meant = this.#anchors.get(node.source);
      if (meant === 'open') throw new YamlError(`*${node.source} stands within what it stands for`, this.#place(node));
      // One without an anchor is refused where the value is made.
      return meant ?? size;
    }
    if (node.anchor) this.#anchors.set(node.anchor, 'open');
    if (yaml().isScalar(node)) size.characters = node.range ? node.range[1] - node.range[0] : 0;
    if (yaml().isCollection(node)) {
      if (yaml().isMap(node)) this.#requireUnique(node.items);
      for (const item of node.items) {
        for (const part of yaml().isPair(item) ? [item.key, item.value] : [item]) add(size, this.of(part));
      }
    }
    if (node.anchor) this.#anchors.set(node.anchor, size);
    return size;
  }

  #requireUnique(pairs: readonly { key: unknown }[]): void {
    const known = new Set<unknown>();
    for (const { key } of pairs) {
      if (!yaml().isScalar(key)) continue;
      if (known.has(key.value)) throw new YamlError('Map keys must be unique', this.#place(key));
      known.add(key.value);
    }
  }

  #place = (node: Node): Place | null => (node.range ? this.placeAt(node.range[0]) : null);
}

function add(size: Size, more: Size): void {
  size.values += more.values;
  size.characters += more.characters;
  if (size.values > yamlLimits.values) throw tooMuch(yamlLimits.values, 'values, with aliases and merges written out');
  if (size.characters > yamlLimits.writtenOut)
    throw tooMuch(yamlLimits.writtenOut, 'characters, with aliases and merges written out');
}

const tooMuch = (most: number, what: string): YamlError =>
  new YamlError(`it is too large for a configuration: at most ${most} ${what} are allowed`, null);

function offsetOf(root: unknown, path: readonly (string | number)[]): number | null {
  let node: unknown = root;
  let offset = startOf(root);
  for (const part of path) {
    const pair = yaml().isMap(node)
      ? node.items.find(({ key }) => yaml().isScalar(key) && key.value === part)
      : undefined;
    if (pair) {
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
      continue;
    }
    const item: unknown = typeof part === 'number' && yaml().isCollection(node) ? node.items[part] : undefined;
    if (item === undefined) return offset;
    offset = startOf(item) ?? offset;
    node = item;
  }
  return offset;
}

const startOf = (node: unknown): number | null => (yaml().isNode(node) ? (node.range?.[0] ?? null) : null);
