/**
 * The experiments of a Supervisely team: a run whose results are in Team Files is one of them when it is over, in a folder as Supervisely's own training apps leave it, where its SDK,
 * its pages and its apps look for them. The weights are read from the store, verified, and the copy is proved as every other. Who is interrupted sends what is missing.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { dataReportFile, readDataReport } from '../contracts/data-report.ts';
import type { ObservedEvent } from '../contracts/observed-events.ts';
import { receiptSchema } from '../contracts/receipt.ts';
import { storedRunConfigSchema } from '../contracts/run-config.ts';
import { type ArtifactStore, readText } from '../stores/artifact-store.ts';
import { openFolder } from '../stores/open-store.ts';
import { askTeamFiles } from '../stores/team-files-client.ts';
import { isStatus } from '../stores/team-files-errors.ts';
import {
  type Experiment,
  experimentFiles,
  experimentFolder,
  experimentInfoFile,
  experimentInfoOf,
  projectIdOf,
  projectMetaSchema,
  projectSchema,
  weightsOf,
} from './experiment-files.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';

type Ended = Extract<ObservedEvent, { kind: 'ended' }>;

const ownedSchema = z.looseObject({ epochal: z.looseObject({ output_folder: z.string().nullable() }) });

export class SuperviselyExperiment implements Observer {
  readonly name = 'supervisely-experiment';
  readonly kinds: readonly string[] = ['ended'];

  async tell(events: readonly ObservedEvent[], run: ObservedRun, delivery: Delivery): Promise<void> {
    const ended = events.findLast((event): event is Ended => event.kind === 'ended');
    const last = events.at(-1);
    if (ended) await writeExperiment(ended, run, null, delivery);
    if (last) delivery.onTold(last.seq);
  }
}

/** What is in its `experiment_info.json`; null where the run is none. `task`: which this worker is. */
export async function writeExperiment(
  ended: Ended,
  run: ObservedRun,
  task: number | null,
  { signal, onRefused }: Pick<Delivery, 'signal' | 'onRefused'>,
): Promise<Record<string, unknown> | null> {
  if (!ended.data.outputFolder?.startsWith('teamfiles:')) return null;
  const { store, folder } = await run.output();
  const experiment = await experimentOf(ended, store, folder, task, signal);
  const weights = experiment ? weightsOf(experiment.receipt) : [];
  // Without anything to use, or removed since.
  if (experiment === null || weights.length === 0) return null;
  const address = `teamfiles:/${experimentFolder(experiment)}`;
  const there = openFolder(address);
  const before = await readText(there, experimentInfoFile);
  if (before !== null && ownerOf(before) !== experiment.receipt.outputFolder) {
    onRefused(ended, `${address} has another experiment`);
    return null;
  }
  for (const { path, file } of weights) {
    if ((await there.verify(path, { signal }))?.sha256 === file.sha256) continue;
    // Not in a folder for temporary files, which is memory on many systems, and where what a killed worker left would stay.
    await mkdir(run.moving, { recursive: true });
    const local = await mkdtemp(join(run.moving, 'experiment-'));
    try {
      await store.fetch(`${folder}/${file.path}`, join(local, 'weights'), file, { signal });
      await there.publish(join(local, 'weights'), path, { signal });
    } finally {
      await rm(local, { recursive: true, force: true });
    }
  }
  const info = experimentInfoOf(experiment, weights);
  for (const [name, text] of experimentFiles(experiment, info)) {
    signal.throwIfAborted();
    await there.write(name, text);
  }
  return info;
}

/** Null where the run's results are not there any longer. */
async function experimentOf(
  ended: Ended,
  store: ArtifactStore,
  folder: string,
  task: number | null,
  signal: AbortSignal,
): Promise<Experiment | null> {
  const read = (name: string) => readText(store, `${folder}/${name}`);
  const [written, yaml, data] = await Promise.all(['receipt.json', 'config.yaml', dataReportFile].map(read));
  if (!written || !yaml) return null;
  const [receipt, config] = [receiptSchema.parse(JSON.parse(written)), storedRunConfigSchema.parse(parse(yaml))];
  const id = projectIdOf(config);
  const project = id === null ? null : await projectOf(id, signal);
  const report = data ? readDataReport(data) : null;
  return { receipt, config, project, task, place: ended.data.place, report };
}

/** Null: it is there no longer, or not for this token. */
async function projectOf(id: number, signal: AbortSignal): Promise<Experiment['project']> {
  const ask = <T>(method: string, schema: z.ZodType<T>) =>
    askTeamFiles({ signal }, { method, json: { id }, isTeamless: true }, (told) => schema.parse(told));
  try {
    const { answer } = await ask('projects.info', projectSchema);
    return { ...answer, meta: (await ask('projects.meta', projectMetaSchema)).answer };
  } catch (error) {
    if (!isStatus(error, 400, 403, 404)) throw error;
    return null;
  }
}

/** The output folder of the run that wrote it; null: somebody else. */
function ownerOf(text: string): string | null {
  try {
    return ownedSchema.safeParse(JSON.parse(text)).data?.epochal.output_folder ?? null;
  } catch {
    return null;
  }
}
