/** Where the time of all runs went, by project and week. */
import { z } from 'zod';
import { name } from './names.ts';
import { timeCauses } from './run-time.ts';
import { extensible } from './tolerance.ts';

const seconds = z.number().min(0);
const count = z.int().min(0);

export const mostWeeks = 52;
export const goodputQuestionSchema = z.strictObject({
  project: name.optional(),
  /** This week and those before it. A number from a person or a program, or from an address. */
  weeks: z.coerce.number().int().min(1).max(mostWeeks).default(4),
});
export type GoodputQuestion = z.input<typeof goodputQuestionSchema>;

export const goodputRowSchema = extensible({
  project: z.string(),
  /** The Monday that it begins with, in UTC. A run belongs to the week in which it ended; one that is not over, to this one. */
  week: z.iso.date(),
  runs: count,
  /** Runs that do not tell where their time went, and are counted in nothing else: of an older version, ended by force, or out of reach. */
  untold: count,
  seconds: z.object(
    Object.fromEntries(timeCauses.map((cause) => [cause, seconds])) as Record<
      (typeof timeCauses)[number],
      typeof seconds
    >,
  ),
  /** Validation and saving of some are in the seconds of training: their trainers did not tell. */
  isPartly: z.boolean(),
  /** Of runs that are over. */
  batches: extensible({
    trained: count,
    wasted: count,
    /** Of some nobody knows how many more were. */
    wastedAtLeast: z.boolean().optional(),
  }),
  wastedBy: z.record(z.string(), count),
  /** The share of the time with a slot that trained and validated what counts; null where there was none. */
  goodput: z.number().min(0).max(1).nullable(),
});
export type GoodputRow = z.infer<typeof goodputRowSchema>;

export const goodputAnswerSchema = extensible({
  rows: z.array(goodputRowSchema),
  /** More runs than were looked at. */
  isCut: z.boolean(),
});
export type GoodputAnswer = z.infer<typeof goodputAnswerSchema>;
