/** A configuration as YAML text, and back. Text that a person wrote keeps its comments and its order. */
import { type Document, isScalar, LineCounter, type Node, parseDocument, stringify, visit } from 'yaml';
import { type ConfigObject, isMapping, isSame, type Json } from './plain-json.ts';

const looks = { lineWidth: 100, flowCollectionPadding: false } as const;
const reading = { uniqueKeys: true, maxAliasCount: 50 } as const;

export interface ReadText {
  /** Null where the text is not a mapping. */
  config: ConfigObject | null;
  /** What keeps it from being read. */
  problem: { message: string; from: number; to: number; line: number } | null;
}

export function readYaml(text: string): ReadText {
  const lines = new LineCounter();
  const doc = parseDocument(text, { ...reading, lineCounter: lines });
  const [error] = doc.errors;
  if (error) {
    const [from, to] = error.pos;
    const [message = 'This is not YAML'] = error.message.split(' at line ');
    return { config: null, problem: { message, from, to, line: lines.linePos(from).line } };
  }
  if (doc.contents === null) return { config: {}, problem: null };
  let value: unknown;
  try {
    value = doc.toJS();
  } catch (caught) {
    return { config: null, problem: { message: String(caught), from: 0, to: text.length, line: 1 } };
  }
  if (!isMapping(value)) {
    const message = 'must be a mapping of fields to values, as in "epochs: 10"';
    return { config: null, problem: { message, from: 0, to: text.length, line: 1 } };
  }
  return { config: value, problem: null };
}

export function yamlOf(config: ConfigObject): string {
  if (Object.keys(config).length === 0) return '';
  return updatedYaml('', config);
}

/** `text` with what `config` has, and nothing else changed. */
export function updatedYaml(text: string, config: ConfigObject): string {
  const doc = parseDocument(text, reading);
  if (doc.errors.length > 0 || !isMapping(doc.contents === null ? {} : doc.toJS())) return stringify(config, looks);
  if (Object.keys(config).length === 0) return '';
  if (doc.contents === null) doc.contents = doc.createNode({}) as unknown as typeof doc.contents;
  bringInStep(doc, [], (doc.toJS() ?? {}) as ConfigObject, config);
  return doc.toString(looks);
}

function bringInStep(doc: Document, path: string[], before: ConfigObject, after: ConfigObject): void {
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) doc.deleteIn([...path, key]);
  for (const [key, value] of Object.entries(after)) {
    const at = [...path, key];
    const old = before[key];
    if (isSame(old, value)) continue;
    if (isMapping(old) && isMapping(value) && Object.keys(old).length > 0) bringInStep(doc, at, old, value);
    else if (isScalar(doc.getIn(at, true)) && !isMapping(value) && !Array.isArray(value)) doc.setIn(at, value);
    else doc.setIn(at, nodeOf(doc, value));
  }
}

/** Lists of plain values are written in one line. */
function nodeOf(doc: Document, value: Json): Node {
  const node = doc.createNode(value);
  visit(node, {
    Seq: (_, list) => {
      if (list.items.every((item) => isScalar(item))) list.flow = true;
    },
  });
  return node;
}

/** `checkpoints.best.mode` and `parameters.layers[2]` as the keys on the way there. */
export function fieldKeys(field: string): (string | number)[] {
  const keys: (string | number)[] = [];
  for (const [, plain, index, quoted] of field.matchAll(/([^.[\]"]+)|\[(\d+)\]|("(?:[^"\\]|\\.)*")/g)) {
    if (index !== undefined) keys.push(Number(index));
    else if (quoted !== undefined) keys.push(String(JSON.parse(quoted)));
    else if (plain !== undefined) keys.push(plain);
  }
  return keys;
}

/** Where a field's value is in the text; of a missing one, where its nearest parent is. */
export function placeOf(text: string, field: string): { from: number; to: number } {
  const doc = parseDocument(text, reading);
  for (let keys = fieldKeys(field); keys.length > 0; keys = keys.slice(0, -1)) {
    const node = doc.getIn(keys, true) as Node | undefined;
    if (node?.range) return { from: node.range[0], to: Math.max(node.range[0] + 1, node.range[1]) };
  }
  return { from: 0, to: Math.min(text.length, Math.max(1, text.indexOf('\n'))) };
}
