/** Options and arguments that several commands have. */
import type { Argv } from 'yargs';
import { parseName, parsePlace } from '../parse-config.ts';

export interface SharedOptions {
  json: boolean;
}

export type Root = Argv<SharedOptions>;

export const runArgument = {
  type: 'string',
  demandOption: true,
  describe: 'The run’s id',
  coerce: (value: string) => parseName('run', value),
} as const;

export const folderArgument = {
  type: 'string',
  demandOption: true,
  describe: 'The run’s id, or one of its lives as "folders ls" names it: <run>@<8 digits>',
  coerce: (value: string) => parsePlace('run', value),
} as const;

export const lifeArgument = {
  type: 'string',
  demandOption: true,
  describe: 'The run’s id, which means its newest life; <run>@<8 digits> for an older one',
  coerce: (value: string) => parsePlace('run', value),
} as const;

export const poolOption = {
  type: 'string',
  default: 'gpu',
  requiresArg: true,
  describe: 'A pool of workers',
  coerce: (value: string) => parseName('pool', value),
} as const;

export const setOption = {
  type: 'string',
  array: true,
  requiresArg: true,
  default: [] as string[],
  // One value each, so that an argument after it is not taken for another one.
  nargs: 1,
  describe: 'A field and its value, e.g. parameters.batch_size=32; may be repeated',
} as const;

export const waitOption = { type: 'boolean', default: false, describe: 'Watch it until it is over' } as const;

export const newRunOption = {
  type: 'string',
  requiresArg: true,
  describe: 'The new run’s id; omitted: generated from trainer and time',
} as const;
