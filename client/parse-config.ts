/** Configurations as people write them: YAML in a file, checked as far as no worker is needed. */
import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { name } from '../contracts/names.ts';
import { type DraftConfig, draftConfigSchema, type RunConfig, runConfigSchema } from '../contracts/run-config.ts';
import { ConfigError, type EpochalError } from './errors.ts';

/** With all defaults filled in. Throws ConfigError. */
export const parseConfig = (input: unknown): RunConfig => parsed(runConfigSchema, input);

/** Any part of a configuration. Throws ConfigError. */
export function parseDraft(input: unknown): DraftConfig {
  parsed(draftConfigSchema, input);
  // As written: a draft's defaults are those of the day when it trains.
  return input as DraftConfig;
}

/** Throws ConfigError with `field` as the name of what was wrong. */
export function parseName(field: string, value: unknown): string {
  const result = name.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigError(problemsOf(result.error, value, name).map((problem) => ({ ...problem, field })));
}

/** Throws ConfigError with one problem a field. */
export function parsed<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new ConfigError(problemsOf(result.error, input, schema));
}

/** A configuration is written by hand: what is larger is some other file. */
const longestText = 1_000_000;

/** JSON is YAML too. Throws ConfigError that names the place (`file`), the line and the column of a syntax error. */
export function parseYaml(text: string, file: string): unknown {
  if (text.length > longestText)
    throw syntaxError(`${file} is too long for a configuration: at most ${longestText} characters`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const [error] = document.errors;
  if (error) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw syntaxError(`${file} is no YAML in line ${line}, column ${col}: ${error.message.split('\n')[0]}`);
  }
  try {
    // A chain of aliases that grows without end is refused here.
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw syntaxError(`${file} is no YAML: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
}

/** Throws EpochalError when the file cannot be read, ConfigError when it is no YAML. */
export async function readYamlFile(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? reasons[String(cause.code)] : undefined;
    throw new ConfigError([], {
      cause,
      message: `${JSON.stringify(file)} cannot be read: ${reason ?? messageOf(cause)}`,
    });
  }
  return parseYaml(text, file);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission is denied',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the name is too long',
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const syntaxError = (message: string, cause?: unknown): EpochalError => new ConfigError([], { message, cause });
