/** Trackers of experiments, as the configuration of a run names them. */
import { z } from 'zod';

export const trackerNames = ['mlflow'] as const;
export type TrackerName = (typeof trackerNames)[number];

/** Characters: what MLflow's own pages show, and its databases have room for. */
const longestExperiment = 250;

export const experimentName = z
  .string()
  .min(1)
  .max(longestExperiment)
  .refine((text) => text.trim() === text && !/[\p{Cc}\p{Cs}]/u.test(text), {
    message: 'must be plain text without blanks at its ends',
  });

const trackerSchema = z.union([
  z.enum(trackerNames),
  z.strictObject({ mlflow: z.strictObject({ experiment: experimentName.optional() }) }),
]);
export type TrackerConfig = z.infer<typeof trackerSchema>;

/** As a person writes them. */
export const trackersSchema = z
  .array(trackerSchema)
  .max(10)
  .refine((all) => new Set(all.map(nameOf)).size === all.length, { message: 'must name each tracker once' });

/** As a file or a message of another version has them: whatever it names is kept. */
export const storedTrackersSchema = z.array(
  z.union([z.string(), z.record(z.string(), z.unknown())]),
) as unknown as typeof trackersSchema;

export interface ChosenTracker {
  name: TrackerName;
  /** Null: as the worker says, or else the run's project. */
  experiment: string | null;
}

/** Those of them that this version knows. */
export const chosenTrackers = (trackers: readonly TrackerConfig[]): ChosenTracker[] =>
  trackers.flatMap((one) => {
    const name = trackerNames.find((known) => known === nameOf(one));
    const { data } = settingsSchema.safeParse(typeof one === 'string' || name === undefined ? {} : one[name]);
    return name === undefined ? [] : [{ name, experiment: data?.experiment ?? null }];
  });

const settingsSchema = z.looseObject({ experiment: experimentName.optional() });

const nameOf = (one: TrackerConfig): string => (typeof one === 'string' ? one : (Object.keys(one)[0] ?? ''));
