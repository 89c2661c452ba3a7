/** Configurations between fields, YAML text and the command line. */
import { stringify } from 'yaml';
import { type BoundedYaml, YamlError } from '../client/bounded-yaml.ts';
import { ConfigError } from '../client/errors.ts';
import { readYaml } from '../client/parse-config.ts';
import { problemsOf } from '../contracts/config-problems.ts';
import type { ConfigProblem } from '../contracts/failure.ts';
import type { ReadConfig, WrittenConfig } from '../contracts/http-answers.ts';
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
  let read: BoundedYaml;
  try {
    read = readYaml(yaml, 'the text');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { line = null, column = null } = (error.cause instanceof YamlError ? error.cause.place : null) ?? {};
    return { config: null, problems: [{ field: '', value: 'not read', message: error.message, line, column }] };
  }
  const value = read.value ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
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
  return { config: JSON.parse(JSON.stringify(value)), problems: problems.map((problem) => located(problem, read)) };
}

function located(problem: ConfigProblem, read: BoundedYaml): ReadConfig['problems'][number] {
  const { line = null, column = null } = read.placeOf(pathOf(problem.field)) ?? {};
  return { ...problem, line, column };
}

/** `checkpoints.best.metric`, `parameters.layers[2]`. */
const pathOf = (field: string): (string | number)[] =>
  [...field.matchAll(/\[(\d+)\]|("(?:[^"\\]|\\.)*")|([\w-]+)/g)].map(([, index, quoted, plain]) =>
    index === undefined ? (quoted === undefined ? (plain ?? '') : String(JSON.parse(quoted))) : Number(index),
  );

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
