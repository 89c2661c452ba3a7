/** Files of a run, and what is read from them. */
import { z } from 'zod';
import {
  batchColumnsSchema,
  folderListingSchema,
  logPageSchema,
  metricColumnsSchema,
  runCheckpointSchema,
  systemColumnsSchema,
} from './http-answers.ts';
import { pagesCursorSchema, runPagesSchema } from './http-pages.ts';
import { filesParams, type RouteDefinition, runParams } from './http-route.ts';
import { relativePath } from './names.ts';
import { runEventSchema } from './run-messages.ts';

export const fileRoutes = {
  /** `offset` reads forward from a byte; without it the last `lines` lines. `search` leaves only lines that contain it. */
  log: {
    method: 'GET',
    path: '/api/runs/:run/log',
    tag: 'files',
    summary: "The trainer's log",
    action: 'see',
    params: filesParams,
    query: z.strictObject({
      offset: z.coerce.number().int().min(0).optional(),
      lines: z.coerce.number().int().min(1).max(2000).default(500),
      search: z.string().max(200).optional(),
    }),
    answer: logPageSchema,
  },
  /** Of one that is over also what it does not remember itself: that is in `events.jsonl` in its output folder. */
  events: {
    method: 'GET',
    path: '/api/runs/:run/events',
    tag: 'runs',
    summary: 'What happened in a run, or in one of its lives, oldest first',
    action: 'see',
    params: filesParams,
    answer: z.array(runEventSchema),
  },
  checkpoints: {
    method: 'GET',
    path: '/api/runs/:run/checkpoints',
    tag: 'files',
    summary: 'Checkpoints that the run retains',
    action: 'see',
    params: runParams,
    answer: z.array(runCheckpointSchema),
  },
  files: {
    method: 'GET',
    path: '/api/runs/:run/files',
    tag: 'files',
    summary: 'A folder of the run; without `folder` its root',
    action: 'see',
    params: filesParams,
    query: z.strictObject({ folder: relativePath.optional() }),
    answer: folderListingSchema,
  },
  /** Answers ranges. Shown in the page where it is an image or text, unless `download=true`. */
  file: {
    method: 'GET',
    path: '/api/runs/:run/file',
    tag: 'files',
    summary: 'A file of the run',
    action: 'see',
    params: filesParams,
    query: z.strictObject({ path: relativePath, download: z.enum(['true', 'false']).default('false') }),
    answer: 'bytes',
  },
  metrics: {
    method: 'GET',
    path: '/api/runs/:run/metrics',
    tag: 'files',
    summary: 'Metrics of every epoch, thinned out to `points`',
    action: 'see',
    params: filesParams,
    query: z.strictObject({
      points: z.coerce.number().int().min(2).max(100_000).default(100_000),
      /** Only epochs after this one: for what came since the last request. */
      after: z.coerce.number().int().min(0).default(0),
    }),
    answer: metricColumnsSchema,
  },
  batches: {
    method: 'GET',
    path: '/api/runs/:run/batches',
    tag: 'files',
    summary: 'What training batches logged, thinned out to `points`',
    action: 'see',
    params: filesParams,
    query: z.strictObject({
      points: z.coerce.number().int().min(2).max(20_000).default(20_000),
      /** Only rows after this time, in milliseconds since 1970: for what came since the last request. */
      after: z.coerce.number().int().min(0).default(0),
    }),
    answer: batchColumnsSchema,
  },
  pages: {
    method: 'GET',
    path: '/api/runs/:run/pages',
    tag: 'files',
    summary: "The trainer's own pages: their layout, and what their widgets have shown",
    action: 'see',
    params: filesParams,
    query: z.strictObject({
      /** `next` of the last answer: for what came since. */
      after: pagesCursorSchema.optional(),
    }),
    answer: runPagesSchema,
  },
  system: {
    method: 'GET',
    path: '/api/runs/:run/system',
    tag: 'files',
    summary: 'What the run took of its hosts: CPU, memory, disk, network, GPUs',
    action: 'see',
    params: filesParams,
    query: z.strictObject({
      /** Only rows after this time, in milliseconds since 1970: for what came since the last request. */
      after: z.coerce.number().int().min(0).default(0),
    }),
    answer: systemColumnsSchema,
  },
} as const satisfies Record<string, RouteDefinition>;
