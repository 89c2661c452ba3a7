/**
 * The files of an experiment, as the training apps of Supervisely leave them (`nn/training/train_app.py` and `nn/experiments.py` of its SDK 6.74). Pure.
 */
import { posix } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { DataReport } from '../contracts/data-report.ts';
import { readProjectAddress } from '../contracts/project-address.ts';
import type { PublishedFile, Receipt } from '../contracts/receipt.ts';
import type { storedRunConfigSchema } from '../contracts/run-config.ts';

export type StoredConfig = z.infer<typeof storedRunConfigSchema>;
type Stored = Receipt['checkpoints'][number];

/** Where the experiments of a team are looked for. */
export const experimentsRoot = 'experiments';
/** Written last: an experiment is there with it. */
export const experimentInfoFile = 'experiment_info.json';

export const projectSchema = z.object({ id: z.coerce.number().int(), name: z.string() });
export type Project = z.infer<typeof projectSchema>;
/** Of a project; what is not read here is handed on. */
export const projectMetaSchema = z.looseObject({ classes: z.array(z.looseObject({ title: z.string() })) });
export type ProjectMeta = z.infer<typeof projectMetaSchema>;

export interface Experiment {
  receipt: Receipt;
  /** Where the run's results are in the store. */
  place: string;
  config: StoredConfig;
  /** Null: the trainer told none. */
  report: DataReport | null;
  /** That it was trained on; null: something else. */
  project: (Project & { meta: ProjectMeta }) | null;
  /** The task that this worker is; null: none. */
  task: number | null;
}

export const projectIdOf = ({ data }: StoredConfig): number | null =>
  (data === undefined ? null : readProjectAddress(data))?.project ?? null;

/**
 * Below the experiments of a team, as `{project}_{its name}/{task}_{framework}` is: the SDK finds it by the framework, which is the trainer. A worker trains
 * many runs as one task, so the run is in the task's place.
 */
export function experimentFolder({ receipt, place, config, project }: Experiment): string {
  const of = project ? `${project.id}_${project.name}` : config.project;
  return `${experimentsRoot}/${asName(of)}/${asName(`${place}_${receipt.trainer}`)}`;
}

/** Of what an address of a store would take for something else. */
const asName = (text: string) =>
  text
    .replace(/[/\\?#%\p{Cc}]/gu, '_')
    .slice(0, 220)
    .trim();

export interface Weights {
  /** In the experiment. */
  path: string;
  /** In the run's output folder. */
  file: PublishedFile;
  checkpoint: Stored;
}

/** The best checkpoint and the last one, of each the file for inference: all of them once more would be twice the space. */
export function weightsOf(receipt: Receipt): Weights[] {
  const { checkpoints } = receipt;
  const wanted = [bestOf(receipt), checkpoints.at(-1)];
  const chosen = checkpoints.filter((one) => wanted.includes(one));
  return chosen.flatMap((checkpoint) => {
    const file = weightsFile(checkpoint.files);
    return file ? [{ path: `checkpoints/${checkpoint.name}${posix.extname(file.path)}`, file, checkpoint }] : [];
  });
}

const bestOf = ({ checkpoints, best }: Receipt) =>
  checkpoints.find(({ reasons }) => reasons.includes('best')) ??
  checkpoints.find(({ epoch, batch }) => epoch === best?.epoch && batch === 0);

/** That named weights; otherwise the largest, in a form that frameworks keep models in if there is one. */
function weightsFile(files: readonly PublishedFile[]): PublishedFile | undefined {
  const modelFiles = files.filter(({ path }) => /\.(pt|pth|ckpt|safetensors|onnx)$/i.test(path));
  const named = files.filter(({ path }) => /^(weights|model)\./i.test(posix.basename(path)));
  const bySize = (some: readonly PublishedFile[]) => [...some].sort((a, b) => b.size - a.size)[0];
  return bySize(named) ?? bySize(modelFiles) ?? bySize(files);
}

/** All files but the weights, by name, in the order in which they are written. */
export function experimentFiles(experiment: Experiment, info: Record<string, unknown>): [name: string, text: string][] {
  const { task } = experiment;
  const link: [string, string][] = task === null ? [] : [['open_app.lnk', `/apps/sessions/${task}\n`]];
  return [
    ...link,
    ['hyperparameters.yaml', hyperparametersOf(experiment)],
    ['model_meta.json', asJson(modelMetaOf(experiment))],
    ['app_state.json', asJson(appStateOf(experiment))],
    [experimentInfoFile, asJson(info)],
  ];
}

const asJson = (value: unknown) => `${JSON.stringify(value, null, 4)}\n`;

const hyperparametersOf = ({ config: { epochs, seed, parameters } }: Experiment) =>
  stringify({ epochs, seed, ...parameters });

/** In the words of Supervisely's TaskType. */
function taskTypeOf({ config, receipt }: Experiment): string {
  const task = String(config.parameters.task ?? '');
  if (task === 'detect') return 'object detection';
  if (task === 'segment') return 'instance segmentation';
  return receipt.trainer === 'hrda' ? 'semantic segmentation' : task || 'classification';
}

const shapes: Readonly<Record<string, string>> = {
  'object detection': 'rectangle',
  'instance segmentation': 'bitmap',
  'semantic segmentation': 'bitmap',
};

/** The classes that it was trained on, in the shape that its model answers. */
function modelMetaOf(experiment: Experiment): Record<string, unknown> {
  const { project } = experiment;
  const names = classesOf(experiment);
  const shape = shapes[taskTypeOf(experiment)] ?? 'any';
  const known = new Map(project?.meta.classes.map((one) => [one.title, one]));
  const classes = names.map((title, index) => ({
    ...{ description: '', color: colorOf(index), hotkey: '' },
    ...known.get(title),
    ...{ title, shape, geometry_config: {} },
  }));
  return { projectType: 'images', tags: [], ...project?.meta, classes };
}

/** A report may name the most and the least frequent alone. */
function classesOf({ report, project }: Experiment): string[] {
  const isWhole = report !== null && report.classes.length === report.classCount;
  if (isWhole || project === null) return report?.classes.map(({ name }) => name) ?? [];
  return project.meta.classes.map(({ title }) => title);
}

/** Far from those before it. */
function colorOf(index: number): string {
  const hue = (index * 137.508) % 360;
  const channel = (at: number) => {
    const k = (at + hue / 30) % 12;
    return Math.round(255 * (0.5 - 0.4 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return `#${[0, 8, 4].map((at) => channel(at).toString(16).padStart(2, '0')).join('')}`.toUpperCase();
}

/** With what an app would fill its forms to train the same again. */
const appStateOf = (experiment: Experiment) => ({
  model: { source: 'Pretrained models', model_name: modelNameOf(experiment) },
  hyperparameters: hyperparametersOf(experiment),
  options: {
    cache_project: true,
    convert_class_shapes: false,
    model_benchmark: { enable: false, speed_test: false },
    export: { enable: false, ONNXRuntime: false, TensorRT: false },
  },
  train_val_split: {},
  classes: classesOf(experiment),
  tags: [],
});

function modelNameOf({ config: { parameters }, receipt }: Experiment): string {
  const { model, family, size, config } = parameters;
  const named = [model ?? family ?? config, size].filter((one) => typeof one === 'string' && one !== '');
  return named.length > 0 ? named.join('') : receipt.trainer;
}

export function experimentInfoOf(experiment: Experiment, weights: readonly Weights[]): Record<string, unknown> {
  const { receipt, config, project, task, report } = experiment;
  const folder = `/${experimentFolder(experiment)}/`;
  const best = weights.find(({ checkpoint }) => checkpoint === bestOf(receipt)) ?? weights.at(-1);
  const images = (role: string) => {
    const splits = report?.splits.filter((split) => split.role === role) ?? [];
    return splits.length > 0 ? splits.reduce((sum, split) => sum + split.images, 0) : null;
  };
  const seconds = Math.round((Date.parse(receipt.endedAt) - Date.parse(receipt.startedAt)) / 1000);
  return {
    experiment_name: receipt.run,
    framework_name: receipt.trainer,
    model_name: modelNameOf(experiment),
    base_checkpoint: null,
    base_checkpoint_link: null,
    task_type: taskTypeOf(experiment),
    project_id: project?.id ?? null,
    project_version: null,
    // As an app has it that no agent has started.
    task_id: task ?? -1,
    model_files: {},
    checkpoints: weights.map(({ path }) => path),
    best_checkpoint: posix.basename(best?.path ?? ''),
    export: {},
    app_state: 'app_state.json',
    model_meta: 'model_meta.json',
    hyperparameters: 'hyperparameters.yaml',
    artifacts_dir: folder,
    datetime: receipt.startedAt.slice(0, 19).replace('T', ' '),
    experiment_report_id: null,
    evaluation_report_id: null,
    evaluation_report_link: null,
    evaluation_metrics: best?.checkpoint.metrics ?? receipt.metrics,
    primary_metric: receipt.best?.metric ?? null,
    logs: null,
    device: null,
    training_duration: seconds,
    train_collection_id: null,
    val_collection_id: null,
    train_val_split: null,
    train_size: images('train'),
    val_size: images('validate'),
    // What Supervisely does not know: whose the folder is, and where all of the run's results are.
    epochal: { run: receipt.run, project: config.project, output_folder: receipt.outputFolder },
  };
}
