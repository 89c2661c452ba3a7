/** Trackers of experiments, as the configuration of a run names them. */
import { z } from 'zod';

export const trackerNames = ['mlflow', 'wandb'] as const;
/** One of these, or that of a file of the workers' own. */
export type TrackerName = string;

/** Of such a file: `NAME_tracker.py`. */
export const ownTrackerName = z
  .string()
  .regex(/^[a-z][a-z0-9]{0,39}$/, { message: 'must be lower-case letters and digits, a letter first' })
  .refine((name) => name !== 'other' && !trackerNames.some((known) => known === name), {
    message: 'must not be the name of a tracker that comes with Epochal',
  });

/** Characters: what MLflow's own pages show, and its databases have room for. */
const longestExperiment = 250;

export const experimentName = z
  .string()
  .min(1)
  .max(longestExperiment)
  .refine((text) => text.trim() === text && !/[\p{Cc}\p{Cs}]/u.test(text), {
    message: 'must be plain text without blanks at its ends',
  });

/** A project or an entity of W&B, which are parts of an address there. */
export const wandbName = experimentName
  .max(128)
  .regex(/^[^/\\#?%:]*$/, { message: 'must have none of / \\ # ? % : in it' });

const trackerSchema = z.union([
  z.enum(trackerNames),
  z.strictObject({ mlflow: z.strictObject({ experiment: experimentName.optional() }) }),
  z.strictObject({ wandb: z.strictObject({ project: wandbName.optional(), entity: wandbName.optional() }) }),
  z.strictObject({ other: z.strictObject({ name: ownTrackerName, experiment: experimentName.optional() }) }),
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
  /** In W&B, a project. Null: as the worker says, or else the run's project. */
  experiment: string | null;
  /** Of W&B alone: the user or team whose project it is. Left out: as the worker says, or else as the key does. */
  entity?: string | undefined;
}

/** Those of them that this version knows. */
export const chosenTrackers = (trackers: readonly TrackerConfig[]): ChosenTracker[] =>
  trackers.flatMap((one) => {
    const kind = typeof one === 'string' ? one : Object.keys(one)[0];
    const { data } = settingsSchema.safeParse(typeof one === 'string' ? {} : Object.values(one)[0]);
    const { name, experiment, project, entity } = data ?? {};
    if (kind === 'other') return name === undefined ? [] : [{ name, experiment: experiment ?? null }];
    if (!trackerNames.some((known) => known === kind) || kind === undefined) return [];
    const where = kind === 'wandb' ? project : experiment;
    return [{ name: kind, experiment: where ?? null, ...(entity ? { entity } : {}) }];
  });

const settingsSchema = z.looseObject({
  name: ownTrackerName.optional(),
  experiment: experimentName.optional(),
  project: wandbName.optional(),
  entity: wandbName.optional(),
});

/** As a configuration names it. */
export function trackerConfig({ name, experiment, entity }: ChosenTracker): TrackerConfig {
  const named = experiment === null ? {} : { experiment };
  const known = trackerNames.find((one) => one === name);
  if (known === undefined) return { other: { name, ...named } };
  if (experiment === null && entity === undefined) return known;
  return known === 'wandb'
    ? { wandb: { ...(experiment === null ? {} : { project: experiment }), ...(entity ? { entity } : {}) } }
    : { mlflow: named };
}

/** Of a run of this project, as a tracker's program is told it: in W&B, `ENTITY/PROJECT`. */
export const experimentOf = (
  { experiment, entity }: Pick<ChosenTracker, 'experiment' | 'entity'>,
  project: string,
): string => `${entity === undefined ? '' : `${entity}/`}${experiment ?? project}`;

function nameOf(one: TrackerConfig): string {
  if (typeof one === 'string') return one;
  return 'other' in one ? one.other.name : (Object.keys(one)[0] ?? '');
}
