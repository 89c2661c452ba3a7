/** A chart as nodes and edges, for whoever draws it. */
import { z } from 'zod';

export const chartNodeSchema = z.strictObject({
  /** Path in the chart: `training.sessions.epoch`. */
  id: z.string(),
  /** The node around it; null for a state of the first level. */
  parent: z.string().nullable(),
  label: z.string(),
  kind: z.enum(['atomic', 'compound', 'parallel', 'final']),
  /** Whether its parent begins with it. */
  initial: z.boolean(),
  /** What a run's view calls it in `detail` (`training.epoch`); null where no run is seen in it. */
  detail: z.string().nullable(),
  /** The activity that runs while a run is in it. */
  activity: z.string().nullable(),
});
export type ChartNode = z.infer<typeof chartNodeSchema>;

export const chartEdgeSchema = z.strictObject({
  from: z.string(),
  to: z.string(),
  /** `STOP`, `publish done`, `after backoff`; empty where it is taken at once. */
  label: z.string(),
  kind: z.enum(['event', 'done', 'error', 'after', 'always']),
  /** The condition's name, where it has one. */
  guard: z.string().nullable(),
});
export type ChartEdge = z.infer<typeof chartEdgeSchema>;

export const chartGraphSchema = z.strictObject({ nodes: z.array(chartNodeSchema), edges: z.array(chartEdgeSchema) });
export type ChartGraph = z.infer<typeof chartGraphSchema>;
