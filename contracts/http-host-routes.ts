/** Hosts, their kept folders, and their data sets. */
import { z } from 'zod';
import { dataSetDetailsSchema, dataSetItemsSchema, dataSetSummarySchema } from './data-set.ts';
import { keptFolderSchema } from './host-messages.ts';
import { hostSchema, silentHostSchema } from './http-answers.ts';
import { dataSetParams, emptyBody, hostRunParams, poolQuery, type RouteDefinition } from './http-route.ts';
import { relativePath } from './names.ts';

export const hostRoutes = {
  hosts: {
    method: 'GET',
    path: '/api/hosts',
    tag: 'hosts',
    summary: 'Hosts, their slots and GPUs, what runs where',
    action: 'see',
    answer: z.array(hostSchema),
  },
  keptFolders: {
    method: 'GET',
    path: '/api/kept-folders',
    tag: 'hosts',
    summary: 'Run folders that hosts still have',
    action: 'see',
    /** Hosts that are neither in `asked` nor in `silent` are not known to the server: nobody has asked them. */
    answer: z.strictObject({
      folders: z.array(keptFolderSchema),
      asked: z.array(z.string()),
      silent: z.array(silentHostSchema),
    }),
  },
  removeKept: {
    method: 'DELETE',
    path: '/api/hosts/:host/kept-folders/:run',
    tag: 'hosts',
    summary: 'Remove a run folder; one in use is refused',
    action: 'tidy',
    params: hostRunParams,
    answer: z.strictObject({ removed: z.literal(true) }),
  },
  publishKept: {
    method: 'POST',
    path: '/api/hosts/:host/kept-folders/:run/publish',
    tag: 'hosts',
    summary: 'Publish a kept run folder to its store now',
    action: 'tidy',
    params: hostRunParams,
    body: emptyBody,
    /** The workflow that publishes it: its progress is in the Temporal UI. */
    answer: z.strictObject({ salvage: z.string() }),
  },

  dataSets: {
    method: 'GET',
    path: '/api/data-sets',
    tag: 'data sets',
    summary: 'Data sets on the workers of a pool',
    action: 'see',
    query: poolQuery,
    answer: z.strictObject({
      dataSets: z.array(dataSetSummarySchema),
      asked: z.array(z.string()),
      silent: z.array(silentHostSchema),
    }),
  },
  dataSet: {
    method: 'GET',
    path: '/api/hosts/:host/data-sets/:dataSet',
    tag: 'data sets',
    summary: 'Classes, splits and problems of a data set',
    action: 'see',
    params: dataSetParams,
    answer: dataSetDetailsSchema,
  },
  dataSetItems: {
    method: 'GET',
    path: '/api/hosts/:host/data-sets/:dataSet/items',
    tag: 'data sets',
    summary: 'Images of a data set with their boxes and masks',
    action: 'see',
    params: dataSetParams,
    query: z.strictObject({
      split: z.string().min(1).max(200).optional(),
      class: z.string().min(1).max(200).optional(),
      offset: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(50).default(12),
    }),
    answer: dataSetItemsSchema,
  },
  dataSetImage: {
    method: 'GET',
    path: '/api/hosts/:host/data-sets/:dataSet/image',
    tag: 'data sets',
    summary: 'An image of a data set',
    action: 'see',
    params: dataSetParams,
    query: z.strictObject({ item: relativePath }),
    answer: 'bytes',
  },
} as const satisfies Record<string, RouteDefinition>;
