/** What an MLflow server has, by its own API: its runs with all of their points, and which of these count. */
import { z } from 'zod';
import type { MlflowServer } from './mlflow-ready.ts';

const pointSchema = z.object({
  key: z.string(),
  value: z.number(),
  timestamp: z.coerce.number(),
  step: z.coerce.number().default(0),
});
type Point = z.infer<typeof pointSchema>;
const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);
const infoSchema = z.object({
  run_id: z.string(),
  status: z.string(),
  run_name: z.string(),
  end_time: z.coerce.number().optional(),
});
const datasets = z.array(z.object({ dataset: z.object({ digest: z.string() }) })).default([]);
const runSchema = z.object({
  info: infoSchema,
  data: z.object({ metrics: z.array(pointSchema).default([]), params: pairs, tags: pairs }).prefault({}),
  inputs: z.object({ dataset_inputs: datasets }).prefault({}),
});
const experimentSchema = z.object({ experiment: z.object({ experiment_id: z.string() }) });

/** An epoch as it has it. */
export interface ToldRow {
  epoch: number;
  /** Milliseconds since 1970. */
  at: number;
  metrics: Record<string, number>;
}

export interface ToldRun {
  id: string;
  status: string;
  name: string;
  end: number | undefined;
  digests: string[];
  tags: Map<string, string>;
  params: Record<string, string>;
  /** `epoch/time` */
  rolledBack: string[];
  /** Without these, in order. */
  rows: ToldRow[];
  /** Of batches, and of the host: points of these, in the order of their steps. */
  measured: { batch: MeasuredPoint[]; system: MeasuredPoint[] };
}

export interface MeasuredPoint {
  /** Without its folder. */
  key: string;
  step: number;
  at: number;
  value: number;
}

const pointOf = ({ step, timestamp }: Point) => `${step}/${timestamp}`;

export class MlflowReader {
  constructor(readonly server: MlflowServer | null) {}

  async ask(path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${this.server?.endpoint}/api/2.0/mlflow/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: this.server?.authorization ?? '', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  async experimentId(name: string): Promise<string> {
    const found = await this.ask(`experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`);
    return experimentSchema.parse(found).experiment.experiment_id;
  }

  /** The runs of an experiment. `filter`: as MLflow takes it. */
  async runsOf(experiment: string, filter = ''): Promise<ToldRun[]> {
    const experiment_ids = [await this.experimentId(experiment)];
    const found = await this.ask('runs/search', { experiment_ids, filter });
    const { runs } = z.object({ runs: z.array(runSchema).default([]) }).parse(found);
    return Promise.all(runs.map((run) => this.#told(run)));
  }

  async #told({ info, data, inputs }: z.infer<typeof runSchema>): Promise<ToldRun> {
    const histories = await Promise.all(data.metrics.map(({ key }) => this.#history(info.run_id, key)));
    const points = histories.flat();
    const marks = points.filter(({ key }) => key === 'epochal/rolled_back');
    const highest = new Map<string, number>();
    for (const mark of marks) highest.set(pointOf(mark), Math.max(mark.value, highest.get(pointOf(mark)) ?? 0));
    const rolledBack = new Set([...highest].flatMap(([point, mark]) => (mark % 2 === 1 ? [point] : [])));
    const rows = new Map<string, ToldRow>();
    // Of an epoch without metrics there is this point alone.
    for (const { key, step, timestamp, value } of points) {
      const point = `${step}/${timestamp}`;
      if (rolledBack.has(point) || key === 'epochal/rolled_back' || /^(batch|system)\//.test(key)) continue;
      const row = rows.get(point) ?? { epoch: step, at: timestamp, metrics: {} };
      rows.set(point, row);
      if (!key.startsWith('epochal/')) row.metrics[key] = value;
    }
    return {
      ...{ id: info.run_id, status: info.status, name: info.run_name, end: info.end_time },
      digests: inputs.dataset_inputs.map(({ dataset }) => dataset.digest),
      tags: new Map(data.tags.map(({ key, value }) => [key, value])),
      params: Object.fromEntries(data.params.map(({ key, value }) => [key, value])),
      rolledBack: [...rolledBack].sort(),
      rows: [...rows.values()].sort((a, b) => a.epoch - b.epoch || a.at - b.at),
      measured: { batch: measuredOf(points, 'batch/'), system: measuredOf(points, 'system/') },
    };
  }

  async #history(run: string, key: string): Promise<Point[]> {
    const told = await this.ask(`metrics/get-history?run_id=${run}&metric_key=${encodeURIComponent(key)}`);
    return z.object({ metrics: z.array(pointSchema).default([]) }).parse(told).metrics;
  }
}

/** Each once: a store of files has what was told twice twice. */
function measuredOf(points: readonly Point[], folder: string): MeasuredPoint[] {
  const measured = points
    .filter(({ key }) => key.startsWith(folder))
    .map(({ key, step, timestamp, value }) => ({ key: key.slice(folder.length), step, at: timestamp, value }));
  const once = new Map(measured.map((point) => [`${point.key}/${point.step}/${point.at}`, point]));
  return [...once.values()].sort((a, b) => a.step - b.step);
}
