/** The sessions of a run, as its receipt tells of them. Pure. */
import type { SessionRecord } from '../contracts/receipt-facts.ts';
import type { Session, SessionEnd } from '../contracts/session.ts';
import type { SessionTrouble } from './session-failures.ts';

/** Undefined: an older version carried the run on, and nobody knows them all. */
type Records = SessionRecord[] | undefined;

/** They travel in every payload, so that the list has an end. */
const mostRecords = 100;

/** A session that is found again is there already, and has not ended. */
export function withSession(records: Records, session: Session): Records {
  const { id, generation, host, startedAt, resumedFrom } = session;
  const record = { id, ...(generation && { generation }), host, startedAt, resumedFrom, ended: null };
  const others = records?.filter((one) => one.id !== id);
  return others && [...others, record].slice(-mostRecords);
}

/** Where an older version carried the run on, which counts none: the next one is still a later one. */
export const newestGeneration = (records: Records): number =>
  Math.max(0, ...(records ?? []).map(({ generation }) => generation ?? 0));

type Ended = NonNullable<SessionRecord['ended']>;

export const withEnd = (records: Records, session: Session | null, ended: Ended): Records =>
  records?.map((record) => (record.id === session?.id ? { ...record, ended } : record));

export const endOf = ({ failure, finished }: Pick<SessionEnd, 'failure' | 'finished'>): Ended =>
  failure ? { how: 'failed', failure: failure.kind } : { how: finished ? 'finished' : 'stopped', failure: null };

export const endByItself = ({ failure, preempted }: Pick<SessionTrouble, 'failure' | 'preempted'>): Ended => ({
  how: preempted ? 'preempted' : 'failed',
  failure: failure?.kind ?? null,
});
