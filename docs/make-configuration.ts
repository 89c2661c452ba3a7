/**
 * `npm run docs`: writes `docs/configuration.md`, and the JSON Schema that editors complete and check configurations by, from the
 * schema of a configuration. `--check` only says whether they are up to date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { z } from 'zod';
import { runConfigSchema } from '../contracts/run-config.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What of JSON Schema our schemas are made of. */
interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  enum?: unknown[];
  anyOf?: JsonSchema[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  items?: JsonSchema;
  maxItems?: number;
}

/** A value for each key, as somebody would write it; of groups, those of their keys. */
export const examples: Record<string, unknown> = {
  run: 'digits-wide-layers',
  project: 'handwriting',
  trainer: 'digits',
  epochs: 20,
  parameters: { hidden_layers: [64], learning_rate: 0.003 },
  data: '/data/shapes',
  seed: 1,
  pool: 'gpu',
  priority: 2,
  fairnessKey: 'team-vision',
  store: '/mnt/results',
  code: 'none',
  image: 'registry.example/vision/digits:1.4',
  'limits.memory': 32,
  'limits.cpus': 8,
  'limits.processes': 512,
  'limits.shm': 4,
  'limits.disk': 200,
  'continueFrom.run': 'digits-narrow-layers',
  'continueFrom.outputFolder': '/mnt/results/experiments/handwriting/digits-narrow-layers',
  'continueFrom.checkpoint': 'best',
  'continueFrom.keepProgress': false,
  trackers: [{ mlflow: { experiment: 'handwriting' } }],
  'checkpoints.best.metric': 'val_accuracy',
  'checkpoints.best.mode': 'max',
  'checkpoints.last': 2,
  'checkpoints.everyEpochs': 10,
  'checkpoints.everyBatches': 500,
  'checkpoints.snapshots': 60,
  'failures.restarts': 5,
  'failures.backoffSeconds': 10,
  'failures.maxBackoffSeconds': 600,
  'failures.onOutOfMemory': 'fail',
  'failures.onNan': 'rollBack',
  'deadlines.setUpSeconds': 3600,
  'deadlines.stopSeconds': 300,
  'deadlines.terminateSeconds': 30,
  'deadlines.finishSeconds': 1800,
  'deadlines.publishSeconds': 86400,
  'deadlines.heartbeatSeconds': 60,
  'deadlines.hangFloorSeconds': 300,
  'deadlines.hangCeilingSeconds': 7200,
  'deadlines.reattachSeconds': 120,
};

/** Written in place of another key. */
const alternatives: ReadonlySet<string> = new Set(['continueFrom.outputFolder']);

/** Filled in by the service: nobody writes them. */
const ownKeys: ReadonlySet<string> = new Set(['storeIdentity']);

const numberText = (value: number) => value.toLocaleString('en-US');

function allowed(schema: JsonSchema): string {
  const { type, enum: values, anyOf, pattern, minimum, maximum, maxLength, items, maxItems } = schema;
  if (anyOf) return [...new Set(anyOf.map(allowed))].join(', or ');
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  if (type === 'boolean') return '`true`, `false`';
  if (type === 'integer' || type === 'number') {
    return `${type}, ${[minimum, maximum].map((bound) => (bound === undefined ? 'any' : numberText(bound))).join(' to ')}`;
  }
  if (type === 'object') return 'mapping';
  if (type === 'array') return `list of at most ${maxItems}, each ${items ? allowed(items) : 'anything'}`;
  if (pattern) return 'name: up to 100 of `A-Z a-z 0-9 . _ -`, the first a letter or digit';
  return maxLength === undefined ? 'text' : `text of up to ${numberText(maxLength)} characters`;
}

interface Key {
  path: string;
  schema: JsonSchema;
  /** Whoever writes its group has to write it. */
  required: boolean;
}

/** The keys in a group, and those in groups within it. */
function* keysOf(group: JsonSchema, path = ''): Generator<Key> {
  for (const [name, schema] of Object.entries(group.properties ?? {})) {
    const full = path ? `${path}.${name}` : name;
    if (ownKeys.has(full)) continue;
    yield { path: full, schema, required: group.required?.includes(name) ?? false };
    yield* keysOf(schema, full);
  }
}

/** The paths of all keys that have a value of their own. */
export const keyPaths = (): string[] =>
  [...keysOf(jsonSchema())].filter(({ schema }) => !schema.properties).map(({ path }) => path);

/** A configuration that has every key, but for those in place of others, with the value of its example. */
export function wholeExample(under = ''): Record<string, unknown> {
  const whole: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(examples)) {
    if (alternatives.has(path) || (under && !path.startsWith(`${under}.`))) continue;
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let place = whole;
    for (const step of steps) {
      place[step] ??= {};
      place = place[step] as Record<string, unknown>;
    }
    place[last] = value;
  }
  return whole;
}

function jsonSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(runConfigSchema, { io: 'input' });
  return { $schema, title: 'Configuration of an Epochal run', ...schema } as JsonSchema;
}

const code = (value: unknown) => (value === undefined ? '' : `\`${JSON.stringify(value)}\``);

function table(group: JsonSchema, path: string): string[] {
  const rows = [...keysOf(group, path)].map(({ path: full, schema, required }) => {
    const standard = required ? 'required' : code(schema.default);
    return `| \`${full}\` | ${schema.description ?? ''} | ${allowed(schema)} | ${standard} | ${code(examples[full])} |`;
  });
  return ['| key | meaning | allowed | default | example |', '|---|---|---|---|---|', ...rows];
}

const fenced = (value: unknown) => ['```yaml', stringify(value).trimEnd(), '```'];

function page(): string {
  const schema = jsonSchema();
  const properties = Object.entries(schema.properties ?? {});
  const groups = properties.filter(([, key]) => key.properties);
  const top: JsonSchema = {
    properties: Object.fromEntries(properties.filter(([, key]) => !key.properties)),
    ...(schema.required ? { required: schema.required } : {}),
  };
  return [
    '<!-- Made by `npm run docs` from contracts/run-config.ts: do not edit. -->',
    '',
    '# Configuration of a run',
    '',
    'A configuration is a YAML file. Unknown keys and values that are not allowed are refused before anything starts, with the key, the',
    'value and what is allowed. `epochal validate FILE` checks one without starting a run. The smallest has a trainer and a number of epochs:',
    '',
    ...fenced({ trainer: 'digits', epochs: 20 }),
    '',
    'Editors that use the YAML language server complete keys and show their meaning with this first line:',
    '',
    '```yaml',
    '# yaml-language-server: $schema=<path or address of docs/configuration.schema.json>',
    '```',
    '',
    '## Run',
    '',
    ...table(top, ''),
    ...groups.flatMap(([name, key]) => [
      '',
      `## ${name}`,
      '',
      key.description ?? '',
      '',
      ...table(key, name),
      '',
      ...fenced(wholeExample(name)),
    ]),
    '',
    'Durations are in seconds and may have a fraction.',
    '',
  ].join('\n');
}

export const configurationFiles = (): { path: string; content: string }[] => [
  { path: at('configuration.md'), content: page() },
  { path: at('configuration.schema.json'), content: `${JSON.stringify(jsonSchema(), null, 2)}\n` },
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, content } of configurationFiles()) {
    const same = existsSync(path) && readFileSync(path, 'utf8') === content;
    if (!same && process.argv.includes('--check')) {
      process.stderr.write(`${path} is not what the schema says: run \`npm run docs\`\n`);
      process.exitCode = 1;
    } else if (!same) writeFileSync(path, content);
  }
}
