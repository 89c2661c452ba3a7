/** Configurations between fields, YAML text and the command line. */
import { isMap, isNode, LineCounter, parseDocument, stringify } from 'yaml';
import { ConfigError } from '../client/errors.ts';
import { parseYaml } from '../client/parse-config.ts';
import { problemsOf } from '../contracts/config-problems.ts';
import type { ConfigProblem } from '../contracts/failure.ts';
import type { ReadConfig, WrittenConfig } from '../contracts/http-api.ts';
import { runConfigSchema } from '../contracts/run-config.ts';

type Fields = WrittenConfig['config'];

/** What is default is left out of the YAML: what someone chose is what they read. */
export function writeConfig(config: Fields): WrittenConfig {
  const chosen = withoutDefaults(config);
  const yaml = Object.keys(chosen).length === 0 ? '' : stringify(chosen, { lineWidth: 110 });
  return { config: chosen, yaml, command: `epochal train /dev/stdin <<'YAML'\n${yaml}YAML` };
}

/** What the contract alone says of the text; a worker says the rest (`check`). */
export function readConfig(yaml: string): ReadConfig {
  let value: unknown;
  try {
    value = parseYaml(yaml, 'the text') ?? {};
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [, line, column] = /line (\d+), column (\d+)/.exec(error.message) ?? [];
    const place = { line: line ? Number(line) : null, column: column ? Number(column) : null };
    return { config: null, problems: [{ field: '', value: 'not read', message: error.message, ...place }] };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const problem = {
      field: '',
      value: 'not read',
      message: 'must be a mapping of fields to values',
      line: 1,
      column: 1,
    };
    return { config: null, problems: [problem] };
  }
  const parsed = runConfigSchema.safeParse(value);
  const problems = parsed.success ? [] : problemsOf(parsed.error, value);
  // Dates and other things that YAML has and JSON has not become text.
  return { config: JSON.parse(JSON.stringify(value)), problems: located(problems, yaml) };
}

function located(problems: ConfigProblem[], yaml: string): ReadConfig['problems'] {
  if (problems.length === 0) return [];
  const counter = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: counter, merge: true });
  return problems.map((problem) => {
    const offset = offsetOf(document.contents, pathOf(problem.field));
    if (offset === null) return { ...problem, line: null, column: null };
    const { line, col } = counter.linePos(offset);
    return { ...problem, line, column: col };
  });
}

/** `checkpoints.best.metric`, `parameters.layers[2]`. */
const pathOf = (field: string): (string | number)[] =>
  [...field.matchAll(/\[(\d+)\]|("(?:[^"\\]|\\.)*")|([\w-]+)/g)].map(([, index, quoted, plain]) =>
    index === undefined ? (quoted === undefined ? (plain ?? '') : String(JSON.parse(quoted))) : Number(index),
  );

/** Where the field's key is; of a field that is missing, where the mapping around it begins. */
function offsetOf(root: unknown, path: (string | number)[]): number | null {
  let node: unknown = root;
  let offset = startOf(root);
  for (const part of path) {
    const pair = isMap(node)
      ? node.items.find(({ key }) => isNode(key) && 'value' in key && key.value === part)
      : undefined;
    if (pair) {
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
      continue;
    }
    const item =
      typeof part === 'number' && isNode(node) && 'items' in node && Array.isArray(node.items)
        ? node.items[part]
        : undefined;
    if (item === undefined) return offset;
    offset = startOf(item) ?? offset;
    node = item;
  }
  return offset;
}

const startOf = (node: unknown): number | null => (isNode(node) ? (node.range?.[0] ?? null) : null);

const defaults: Fields = JSON.parse(JSON.stringify(runConfigSchema.parse({ trainer: 'any', epochs: 1 })));

function withoutDefaults(config: Fields): Fields {
  const { trainer: _, epochs: __, ...known } = defaults;
  return different(config, known);
}

function different(fields: Fields, known: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => {
      const usual = known[key];
      if (isFields(value) && isFields(usual)) {
        const rest = different(value, usual);
        return Object.keys(rest).length === 0 ? [] : [[key, rest]];
      }
      return JSON.stringify(value) === JSON.stringify(usual) ? [] : [[key, value]];
    }),
  );
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
