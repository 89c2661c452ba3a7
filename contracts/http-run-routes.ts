/** Runs and configurations. */
import { z } from 'zod';
import { checkedConfigSchema, trainerListSchema } from './host-messages.ts';
import {
  configInputSchema,
  readConfigSchema,
  runDetailsSchema,
  runsPageSchema,
  runsProgressSchema,
  runsQuerySchema,
  startedSchema,
  writtenConfigSchema,
} from './http-answers.ts';
import { emptyBody, listOfRuns, poolQuery, type RouteDefinition, runParams } from './http-route.ts';
import { name } from './names.ts';
import { stopModeSchema } from './receipt.ts';
import { configureSchema, runViewSchema } from './run-messages.ts';

export const runRoutes = {
  runs: {
    method: 'GET',
    path: '/api/runs',
    tag: 'runs',
    summary: 'Runs, a page at a time',
    query: runsQuerySchema,
    answer: runsPageSchema,
  },
  start: {
    method: 'POST',
    path: '/api/runs',
    tag: 'runs',
    summary: 'Start a run, or make a draft',
    body: z.strictObject({ config: configInputSchema, draft: z.boolean().default(false) }),
    answer: startedSchema,
    status: 201,
  },
  progress: {
    method: 'GET',
    path: '/api/progress',
    tag: 'runs',
    summary: 'What up to 200 runs are doing now',
    query: z.strictObject({ runs: listOfRuns }),
    answer: runsProgressSchema,
  },
  run: {
    method: 'GET',
    path: '/api/runs/:run',
    tag: 'runs',
    summary: 'A run',
    params: runParams,
    answer: runDetailsSchema,
  },
  live: {
    method: 'GET',
    path: '/api/runs/:run/live',
    tag: 'runs',
    summary: 'A run, live, as server-sent events',
    params: runParams,
    answer: 'events',
  },
  configure: {
    method: 'POST',
    path: '/api/runs/:run/configure',
    tag: 'runs',
    summary: 'Merge fields into a draft; null removes one',
    params: runParams,
    body: configureSchema,
    answer: runViewSchema,
  },
  train: {
    method: 'POST',
    path: '/api/runs/:run/train',
    tag: 'runs',
    summary: 'Start a draft',
    params: runParams,
    body: emptyBody,
    answer: runViewSchema,
  },
  stop: {
    method: 'POST',
    path: '/api/runs/:run/stop',
    tag: 'runs',
    summary: 'Stop: at the batch boundary, after the epoch, or now',
    params: runParams,
    body: z.strictObject({ mode: stopModeSchema.default('batch') }).prefault({}),
    answer: runViewSchema,
  },
  pause: {
    method: 'POST',
    path: '/api/runs/:run/pause',
    tag: 'runs',
    summary: 'Checkpoint and release the GPU',
    params: runParams,
    body: emptyBody,
    answer: runViewSchema,
  },
  resume: {
    method: 'POST',
    path: '/api/runs/:run/resume',
    tag: 'runs',
    summary: 'Resume after a pause',
    params: runParams,
    body: emptyBody,
    answer: runViewSchema,
  },

  check: {
    method: 'POST',
    path: '/api/check',
    tag: 'configuration',
    summary: 'Check a configuration on a worker; nothing starts',
    body: z.strictObject({ config: configInputSchema }),
    answer: checkedConfigSchema,
  },
  readConfig: {
    method: 'POST',
    path: '/api/config/read',
    tag: 'configuration',
    summary: 'YAML to fields',
    body: z.strictObject({ yaml: z.string().max(200_000) }),
    answer: readConfigSchema,
  },
  writeConfig: {
    method: 'POST',
    path: '/api/config/write',
    tag: 'configuration',
    summary: 'Fields to YAML and a command',
    body: z.strictObject({ config: configInputSchema }),
    answer: writtenConfigSchema,
  },
  /** With `checkpoint`, the clone continues from it: with its progress, or as a new training from its weights. */
  clone: {
    method: 'GET',
    path: '/api/runs/:run/clone',
    tag: 'configuration',
    summary: 'A configuration for a new run like this one',
    params: runParams,
    query: z.strictObject({ checkpoint: name.optional(), keepProgress: z.enum(['true', 'false']).default('true') }),
    answer: writtenConfigSchema,
  },
  trainers: {
    method: 'GET',
    path: '/api/trainers',
    tag: 'configuration',
    summary: 'Trainers of a pool, with the schemas of their parameters',
    query: poolQuery,
    answer: trainerListSchema,
  },
} as const satisfies Record<string, RouteDefinition>;
