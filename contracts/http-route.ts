/** A route of the HTTP API, and the parts that several have. */
import { z } from 'zod';
import { name, placeName } from './names.ts';

/**
 * What whoever asks wants to do, for whoever decides who may. `see` changes nothing; `start` has a worker look at a configuration, too; `steer` changes what a run does; `tidy` deals with what a run
 * has left on a host.
 */
export type Action = 'see' | 'start' | 'steer' | 'tidy';

interface AnyRoute {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `:name` for each of `params`. */
  path: `/api/${string}`;
  tag: 'server' | 'runs' | 'configuration' | 'files' | 'hosts' | 'data sets';
  summary: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** JSON with this schema, or what else it is. */
  answer: z.ZodType | 'events' | 'bytes';
  /** 200 unless given. */
  status?: 201;
}

/** Open without a token, or with what it does. */
export type RouteDefinition = AnyRoute & ({ open: true; action?: never } | { action: Action; open?: never });

export const runParams = z.strictObject({ run: name });
/** Files are there of every life of a run: of its present one, or of `<run>@<8 digits>`. */
export const filesParams = z.strictObject({ run: placeName });
export const hostRunParams = z.strictObject({ host: name, run: placeName });
export const dataSetParams = z.strictObject({
  host: name,
  dataSet: z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits'),
});
/** Left out: the pool that the server's settings call its default. */
export const poolQuery = z.strictObject({ pool: name.optional() });
export const emptyBody = z.strictObject({}).default({});
export const listOfRuns = z
  .string()
  .min(1)
  .max(12_000)
  .regex(/^[A-Za-z0-9._,-]+$/, 'must be run ids with commas between them');
