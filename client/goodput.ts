/** Where the time of runs went, by project and week, as the runs themselves tell. */
import {
  type GoodputAnswer,
  type GoodputQuestion,
  type GoodputRow,
  goodputQuestionSchema,
} from '../contracts/goodput.ts';
import type { Receipt } from '../contracts/receipt.ts';
import { goodputOf, type RunTime, timeCauses } from '../contracts/run-time.ts';
import { NoReceiptError, NoWorkerError, RunNotFoundError, WorkerFailedError } from './errors.ts';
import { parsed } from './parse-config.ts';
import type { RunSummary } from './run-filter.ts';
import type { TrainingClient } from './training-client.ts';

/** Each of them is asked. */
export const mostRuns = 1_000;
const askedAtOnce = 8;

type Source = Pick<TrainingClient, 'list' | 'view' | 'result'>;
interface Told {
  time: RunTime | null;
  batches: Pick<Receipt['batches'], 'trained' | 'wasted' | 'wastedAtLeast'>;
  wastedBy: Readonly<Record<string, number>>;
}

/** Runs that ended in the last `weeks` weeks, this one included, and those that are not over. Throws ConfigError. */
export async function findGoodput(client: Source, question: GoodputQuestion, now = new Date()): Promise<GoodputAnswer> {
  const { project, weeks } = parsed(goodputQuestionSchema, question);
  const since = weekOf(new Date(Date.parse(weekOf(now)) - (weeks - 1) * 7 * 86_400_000));
  const runs: RunSummary[] = [];
  let isCut = false;
  for await (const run of client.list({ ...(project === undefined ? {} : { project }), limit: mostRuns + 1 })) {
    // A draft has not begun; one that ended before may be followed, in the list's order, by none that counts.
    if (run.closedAt !== null && weekOf(new Date(run.closedAt)) < since) break;
    if (run.startedAt === null) continue;
    isCut = runs.length === mostRuns;
    if (isCut) break;
    runs.push(run);
  }
  const rows = new Map<string, GoodputRow>();
  const queue = runs.values();
  const take = async () => {
    for (const run of queue) {
      const week = weekOf(run.closedAt === null ? now : new Date(run.closedAt));
      add(rows, { project: run.project ?? 'default', week }, await askedOf(client, run));
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, take));
  return {
    rows: [...rows.values()].sort((a, b) => b.week.localeCompare(a.week) || a.project.localeCompare(b.project)),
    isCut,
  };
}

/** Null: it does not tell, or did not answer. */
async function askedOf(client: Source, { run, closedAt }: RunSummary): Promise<Told | null> {
  try {
    if (closedAt === null) {
      const { time } = await client.view(run);
      return time ? { time, batches: { trained: 0, wasted: 0 }, wastedBy: {} } : null;
    }
    const { time, batches } = await client.result(run);
    return time ? { time, batches, wastedBy: batches.wastedBy ?? {} } : null;
  } catch (error) {
    const isSilent = [NoReceiptError, NoWorkerError, RunNotFoundError, WorkerFailedError].some(
      (kind) => error instanceof kind,
    );
    if (isSilent) return null;
    throw error;
  }
}

function add(rows: Map<string, GoodputRow>, at: Pick<GoodputRow, 'project' | 'week'>, told: Told | null): void {
  const key = `${at.week} ${at.project}`;
  const row = rows.get(key) ?? { ...at, ...nothing() };
  rows.set(key, row);
  if (!told?.time) {
    row.untold += 1;
    return;
  }
  row.runs += 1;
  for (const cause of timeCauses) row.seconds[cause] += told.time[cause] ?? 0;
  row.isPartly ||= told.time.validation === null;
  row.batches.trained += told.batches.trained;
  row.batches.wasted += told.batches.wasted;
  if (told.batches.wastedAtLeast) row.batches.wastedAtLeast = true;
  for (const [cause, batches] of Object.entries(told.wastedBy))
    row.wastedBy[cause] = (row.wastedBy[cause] ?? 0) + batches;
  row.goodput = goodputOf(row.seconds);
}

const nothing = (): Omit<GoodputRow, 'project' | 'week'> => ({
  ...{ runs: 0, untold: 0, isPartly: false, goodput: null },
  seconds: Object.fromEntries(timeCauses.map((cause) => [cause, 0])) as GoodputRow['seconds'],
  batches: { trained: 0, wasted: 0 },
  wastedBy: {},
});

/** The Monday that its week begins with, in UTC: `2026-11-30`. */
export function weekOf(instant: Date): string {
  const day = new Date(instant);
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return day.toISOString().slice(0, 10);
}
