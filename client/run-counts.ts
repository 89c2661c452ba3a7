/** How many runs are open, by where they stand: counted by Temporal, for a table of a dozen numbers. No worker is asked. */
import type { Standing } from '../contracts/run-summary.ts';
import { attributes } from '../contracts/search-attributes.ts';
import type { Calls } from './calls.ts';
import { callSeconds } from './run-executions.ts';
import { visibilityQuery } from './run-query.ts';

/** `waiting` includes those that a host makes ready: only a look at each of them could tell. */
export type OpenStanding = Extract<
  Standing,
  'draft' | 'checking' | 'waiting' | 'training' | 'recovering' | 'pausing' | 'paused' | 'stopping' | 'uploading'
>;

const byDetail = {
  draft: 'configuring.draft',
  checking: 'configuring.validating',
  waiting: 'training.acquiring',
  recovering: 'training.recovering',
  pausing: 'training.pausing',
  paused: 'training.paused',
} as const satisfies Partial<Record<OpenStanding, string>>;

/** Each counted at a moment of its own, so that one that moves meanwhile may be counted twice, or not at all. */
export async function countOpenRuns(calls: Calls): Promise<Record<OpenStanding, number>> {
  const { client } = calls;
  const count = async (query: string) =>
    (await calls.within(callSeconds, null, () => client.workflow.count(query))).count;
  const ofState = (state: 'training' | 'stopping' | 'uploading') => count(visibilityQuery({ state }));
  const ofDetail = (detail: string) =>
    count(`${visibilityQuery({})} AND ExecutionStatus = 'Running' AND ${attributes.detail.name} = '${detail}'`);
  const [training, stopping, uploading, ...details] = await Promise.all([
    ...(['training', 'stopping', 'uploading'] as const).map(ofState),
    ...Object.values(byDetail).map(ofDetail),
  ]);
  const counted = Object.fromEntries(Object.keys(byDetail).map((standing, index) => [standing, details[index] ?? 0]));
  const other = ['waiting', 'recovering', 'pausing', 'paused'].reduce(
    (sum, standing) => sum + (counted[standing] ?? 0),
    0,
  );
  return {
    ...(counted as Record<keyof typeof byDetail, number>),
    training: Math.max(0, (training ?? 0) - other),
    stopping: stopping ?? 0,
    uploading: uploading ?? 0,
  };
}
