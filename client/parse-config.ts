/** Configurations as people write them: YAML in a file, checked as far as no worker is needed. */
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { problemsOf } from '../contracts/config-problems.ts';
import { name, placeName } from '../contracts/names.ts';
import { type DraftConfig, draftConfigSchema, type RunConfig, runConfigSchema } from '../contracts/run-config.ts';
import { type BoundedYaml, readBoundedYaml, YamlError } from './bounded-yaml.ts';
import { ConfigError } from './errors.ts';

/** With all defaults filled in. Throws ConfigError. */
export const parseConfig = (input: unknown): RunConfig => parsed(runConfigSchema, input);

/** Any part of a configuration. Throws ConfigError. */
export function parseDraft(input: unknown): DraftConfig {
  parsed(draftConfigSchema, input);
  // As written: a draft's defaults are those of the day when it trains.
  return input as DraftConfig;
}

/** Throws ConfigError with `field` as the name of what was wrong. */
export const parseName = (field: string, value: unknown): string => parsedWord(name, field, value);

/** A run id, or one of its lives (`<run>@<8 digits>`). Throws ConfigError. */
export const parsePlace = (field: string, value: unknown): string => parsedWord(placeName, field, value);

function parsedWord(schema: z.ZodType<string>, field: string, value: unknown): string {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigError(problemsOf(result.error, value, schema).map((problem) => ({ ...problem, field })));
}

/** Throws ConfigError with one problem a field. */
export function parsed<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new ConfigError(problemsOf(result.error, input, schema));
}

/**
 * JSON is YAML too. Throws ConfigError that names the text (`file`) and, where there is one, the line and the column of what is
 * wrong. How large a text may be, and what it may ask for, is in `yamlLimits`.
 */
export const parseYaml = (text: string, file: string): unknown => readYaml(text, file).value;

/** The same, with the places of what was read. */
export function readYaml(text: string, file: string): BoundedYaml {
  try {
    return readBoundedYaml(text);
  } catch (cause) {
    if (!(cause instanceof YamlError)) throw cause;
    const place = cause.place === null ? '' : ` in line ${cause.place.line}, column ${cause.place.column}`;
    throw new ConfigError([], { cause, message: `${file} cannot be read as YAML${place}: ${cause.message}` });
  }
}

/** Throws EpochalError when the file cannot be read, ConfigError when it is not YAML. */
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
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the name is too long',
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
