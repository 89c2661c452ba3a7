/**
 * Lives: who owns a run's files. A run id names a workflow, and Temporal can give the same id another life: a reset, the
 * same id in another namespace or on another server, a start after the id was deleted. Each life has a place of its own, for
 * its folder on a host and its output folder in a store, so that no life touches what another one left.
 */
import { z } from 'zod';
import { name, placeName } from './names.ts';
import { extensible } from './tolerance.ts';

/**
 * A life: the workflow executions that follow each other by continue-as-new from one start, oldest first. Namespaces have
 * ids, which are unlike on all servers.
 */
export const lifeSchema = extensible({ namespace: z.string().min(1), chain: z.array(z.string().min(1)).min(1) });
export type Life = z.infer<typeof lifeSchema>;

/** What a run's activities are told beside their input: where its files are, and which executions it had so far. */
export interface Owner {
  /** Name of its folder on hosts and in its store's project: the run id, or `<run>@<8 digits>` for another life. */
  place: string;
  /** The last one is that which asks. */
  chain: readonly string[];
}

/** Executions that a life remembers: its first one, and as many of its last ones. */
const mostRemembered = 20;

/** A chain that continues with `execution`. */
export const chainWith = (before: readonly string[], execution: string): string[] => {
  const chain = before.includes(execution) ? [...before] : [...before, execution];
  return chain.length <= mostRemembered ? chain : [chain[0] ?? execution, ...chain.slice(-(mostRemembered - 1))];
};

/**
 * Whether one of the two continues with the other. After a reset the chain ends in an execution that the one before never
 * knew, and lacks its last.
 */
export function isSameLife(a: Life, b: Life): boolean {
  const endsIn = ({ chain }: Life, other: Life) => other.chain.includes(chain.at(-1) ?? '');
  return a.namespace === b.namespace && (endsIn(a, b) || endsIn(b, a));
}

/** Whether `later` may continue with `life`, whose executions it no longer all remembers. */
export const mayGoOn = (later: Life, life: Life): boolean =>
  isSameLife(later, life) ||
  (later.namespace === life.namespace && later.chain.length >= mostRemembered && later.chain[0] === life.chain[0]);

/**
 * Where a life has its files that found another one's under the run id. The last digits of its execution's id: ids begin with
 * the time, so that two resets within a minute would have the first ones in common.
 */
export function placeOf(run: string, chain: readonly string[]): string {
  return placeName.parse(`${run}@${(chain.at(-1) ?? '').replace(/[^0-9a-f]/g, '').slice(-8)}`);
}

/** The run that has its files at `place`. */
export const runAt = (place: string): string => name.parse(place.split('@')[0]);

/** `life.json` in an output folder. */
export const claimSchema = extensible({ run: name, life: lifeSchema });
export const claimFile = 'life.json';

const anotherLife = 'this is another life of the run (it was reset, or its id was reused)';

/** The note of a life that found another one's files under the run id. */
export const lifeNote = (before: string, outputFolder: string): string =>
  `${anotherLife}: the files of the previous one stay in ${before}, and this one continues in ${outputFolder}`;

/** What a person is told of the life that a run is in; null where its files are under the run id. */
export function lifeText({ run, place = run, receipt, events }: ToldOfLife): string | null {
  if (place === run) return null;
  const told = [...events.map(({ message }) => message), ...(receipt?.notes ?? [])];
  const note = told.findLast((text) => text.startsWith(anotherLife));
  return `${place}: ${note ?? anotherLife}`;
}
/** Of a run's view. */
interface ToldOfLife {
  run: string;
  place?: string | undefined;
  receipt: { notes: readonly string[] } | null;
  events: readonly { message: string }[];
}

/** In a run's memo, where its place is not its id: who asks the server alone learns it there. */
export const placeMemo = 'place';

/** Failure type of an activity that found another life's files where its own should be. */
export const otherLifeType = 'OtherLife';
