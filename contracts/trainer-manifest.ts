/** What a trainer says of itself: `python trainer.py describe` prints it. Forms, checks and docs come from it. */
import { z } from 'zod';
import { dataReportSchema } from './data-report.ts';
import { name } from './names.ts';
import { bestSchema } from './run-config.ts';
import { imageReference } from './run-container.ts';
import { extensible, tolerant } from './tolerance.ts';

export const trainerManifestSchema = extensible({
  protocol: z.literal(1),
  name,
  title: z.string().max(200),
  description: z.string().max(4000),
  /** JSON Schema of `parameters`, from the trainer's pydantic model; has title, description, default and range each. */
  parameters: z.record(z.string(), z.json()),
  /** What `data` may be. Empty: the trainer needs none. */
  datasets: z.array(extensible({ kind: z.string(), description: z.string() })),
  /** Metrics that an epoch reports, with a unit where there is one. */
  metrics: z.array(extensible({ name: z.string(), description: z.string(), unit: z.string().optional() })),
  /** Which checkpoint counts as best unless the config says otherwise. */
  best: tolerant(bestSchema),
  /** Whether out-of-memory can be answered by a smaller batch with gradient accumulation. */
  canShrinkBatch: z.boolean(),
  /** That it runs in; its worker adds it, from the header of the trainer's file. Left out: the worker's own choice. */
  image: imageReference.optional(),
  /** Its pages (`ui.ts`), if it has some; at most 64 KiB. */
  layout: z.record(z.string(), z.json()).optional(),
  /** How its parameters are arranged in the form of a new run (`ui.ts`), if it says so; at most 64 KiB. */
  form: z.record(z.string(), z.json()).optional(),
});
export type TrainerManifest = z.infer<typeof trainerManifestSchema>;

/** What `python trainer.py check` answers to `{epochs, parameters, data, seed, deep}` on its stdin. */
export const trainerCheckSchema = extensible({
  problems: z.array(extensible({ field: z.string(), value: z.string(), message: z.string() })),
  /** Parameters with the trainer's defaults filled in; empty when there are problems. */
  parameters: z.record(z.string(), z.json()),
  /** What the data set holds, from a trainer that tells it; also of one that is refused. */
  dataReport: dataReportSchema.optional(),
});
export type TrainerCheck = z.infer<typeof trainerCheckSchema>;
