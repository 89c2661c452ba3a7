/** The questions that several pages ask, with how often each is asked again. */

import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { askedEvery } from './asked-every.ts';
import { call } from './call.ts';

/** The server itself waits for Temporal and for workers. */
const healthMs = 15_000;

export const healthQuery = queryOptions({
  queryKey: ['health'],
  // A network that takes everything and gives nothing back is noticed, too.
  queryFn: ({ signal }) => call('health', { signal: AbortSignal.any([signal, AbortSignal.timeout(healthMs)]) }),
  refetchInterval: 4_000,
});

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => call('settings', { signal }),
  staleTime: Number.POSITIVE_INFINITY,
});

export const chartQuery = queryOptions({
  queryKey: ['chart'],
  queryFn: ({ signal }) => call('chart', { signal }),
  staleTime: Number.POSITIVE_INFINITY,
});

export const trainersQuery = (pool: string | undefined) =>
  queryOptions({
    queryKey: ['trainers', pool],
    queryFn: ({ signal }) => call('trainers', { query: { pool }, signal }),
    staleTime: 30_000,
  });

export const dataSetsQuery = (pool: string | undefined) =>
  queryOptions({
    queryKey: ['data-sets', pool],
    queryFn: ({ signal }) => call('dataSets', { query: { pool }, signal }),
    staleTime: 30_000,
  });

export const dataSetQuery = (host: string, id: string) =>
  queryOptions({
    queryKey: ['data-set', host, id],
    queryFn: ({ signal }) => call('dataSet', { params: { host, dataSet: id }, signal }),
    staleTime: 60_000,
  });

export const runQuery = (run: string) =>
  queryOptions({ queryKey: ['run', run], queryFn: ({ signal }) => call('run', { params: { run }, signal }) });

/** Of a run that is over; `outcome`: it may be salvaged later, which is one more. */
export const eventsQuery = (run: string, outcome: string | null) =>
  queryOptions({
    queryKey: ['events', run, outcome],
    queryFn: ({ signal }) => call('events', { params: { run }, signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** What ends moves to its output folder: the end is asked for anew, whatever was known before. */
export const checkpointsQuery = (run: string, isOver: boolean) =>
  queryOptions({
    queryKey: ['checkpoints', run, isOver],
    queryFn: ({ signal }) => call('checkpoints', { params: { run }, signal }),
    refetchInterval: askedEvery(isOver ? false : 2_000),
    placeholderData: keepPreviousData,
  });

export const accessQuery = queryOptions({
  queryKey: ['access'],
  queryFn: ({ signal }) => call('access', { signal }),
  staleTime: 60_000,
});
