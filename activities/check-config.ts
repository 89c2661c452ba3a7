/** A whole check of a configuration, on a worker, before anything starts. */
import { isAbsolute } from 'node:path';
import { Context } from '@temporalio/activity';
import type { z } from 'zod';
import { problemsOf, shownValue } from '../contracts/config-problems.ts';
import { type ConfigProblem, problemSentence } from '../contracts/failure.ts';
import { type CheckedConfig, checkOptionsSchema } from '../contracts/host-messages.ts';
import { claimFile, type Life } from '../contracts/life.ts';
import { placeName } from '../contracts/names.ts';
import { isProjectAddress } from '../contracts/project-address.ts';
import { type RunConfig, runConfigSchema } from '../contracts/run-config.ts';
import type { TrainerManifest } from '../contracts/trainer-manifest.ts';
import { type ArtifactStore, falseIfStoreUnavailable, outputPath, StoreError } from '../stores/artifact-store.ts';
import { claimPlace } from '../worker/claims.ts';
import { containerProblems } from '../worker/container-checks.ts';
import { ContinueFromProblem, findStart } from '../worker/continue-from.ts';
import { DataSetProblem } from '../worker/data-sets.ts';
import { EngineProblem } from '../worker/engine-problem.ts';
import type { Host, ProjectFolder } from '../worker/host.ts';
import { isDiskFull } from '../worker/session-start.ts';
import { TrainerProblem } from '../worker/trainer-catalog.ts';
import { failed, withStore, working } from './activity-support.ts';
import { checkTrackers } from './check-trackers.ts';

/** Retained permanently, each costs ledger space in the workflow's state. */
const mostKeptForGood = 100;

export const checkConfig =
  (host: Host) =>
  (config: unknown, chain?: readonly string[] | null, options?: unknown): Promise<CheckedConfig> =>
    working('check the configuration', async (signal, progress) => {
      const parsed = runConfigSchema.safeParse(config);
      if (!parsed.success) return refused(problemsOf(parsed.error, config));
      try {
        return await checkParsed(host, parsed.data, chain ? host.runs.life(chain) : null, {
          signal,
          onProgress: (doing, counted) => (progress.doing = counted ? `${doing} (${shownCount(counted)})` : doing),
          deep: checkOptionsSchema.parse(options ?? {}).deep,
        });
      } catch (error) {
        if (isWithoutContainer(error)) {
          const refusal = containerProblem(host, parsed.data, error.message);
          // Another host of the pool may have what this one lacks: it may be asked next.
          if (isLastAttempt()) return refused([refusal]);
          throw failed({ kind: 'noContainer', message: problemSentence(refusal) }, true, error);
        }
        if (error instanceof TrainerProblem) throw failed(error.failure, false, error);
        if (error instanceof EngineProblem) return refused([containerProblem(host, parsed.data, error.message)]);
        throw error;
      }
    });

interface CallOptions {
  signal: AbortSignal;
  onProgress: (doing: string, counted?: { done: number; total: number }) => void;
  deep: boolean;
}

/** `life`: of the run that asks, which claims its output folder when nothing is wrong; null for a client, before there is one. */
async function checkParsed(
  host: Host,
  written: RunConfig,
  life: Life | null,
  options: CallOptions,
): Promise<CheckedConfig> {
  const started = await withStartFolder(host, written);
  if (started === null) {
    const from = written.continueFrom;
    return refused([
      from?.run === undefined
        ? problem(
            'continueFrom.outputFolder',
            from?.outputFolder ?? '',
            `must be the output folder of a run, or ${knownRun}`,
          )
        : problem('continueFrom.run', from.run, `must be ${knownRun}`),
    ]);
  }
  // Whoever tells of it from now on tells the same trackers.
  const config = host.observers.trackers.settled(started);
  const program = await host.trainers.find(config.trainer);
  if (!program) {
    const names = (await host.trainers.list()).map(({ name }) => name).join(', ');
    return refused([problem('trainer', config.trainer, `must be one of ${names || '(no trainer was found)'}`)]);
  }
  const { image: asked } = config;
  const image = await host.trainers.imageOf(program, asked);
  const ofContainers = containerProblems(config, image, host.containers?.settings ?? null);
  // Nothing runs in an image that is not allowed, not even to be asked.
  if (ofContainers.length > 0) return refused(ofContainers);
  if (image !== null) await host.trainers.imageId(program, image);
  const manifest = await host.trainers.describe(program, { ...options, image: asked });
  const relative = relativeDataProblems(config, manifest);
  if (relative.length > 0) return refused([...relative, ...checkpointProblems(config, manifest)]);
  // First of all: nothing that is not allowed is opened, not even to say what is wrong with it.
  const paths = await host.allowedPaths.problems(config, manifest, program.file);
  if (paths.length > 0) return refused([...paths, ...checkpointProblems(config, manifest)]);
  const ofCheckpoints = checkpointProblems(config, manifest);
  const trackers = await checkTrackers(host, config, options);
  const elsewhere = [
    ...(await storeProblems(host, config, async (store) => {
      await host.stores.check(store);
      // A run that was reset finds what it left before, and takes a place beside that.
      return life === null ? takenProblems(store, config) : [];
    })),
    ...(await continueProblems(config)),
    ...trackers.problems,
  ];
  const isDownload = manifest.datasets.length > 0 && isProjectAddress(config.data);
  // Nothing is downloaded for a run that cannot be.
  if (isDownload && ofCheckpoints.length + elsewhere.length > 0) return refused([...ofCheckpoints, ...elsewhere]);
  const fromServer = isDownload ? await downloaded(host, config.data ?? '', options) : null;
  if (fromServer && 'problem' in fromServer) return refused([fromServer.problem]);
  const check = await host.trainers.check(program, fromServer ? { ...config, data: fromServer.path } : config, options);
  const isClient = life === null;
  const told = isClient && check.dataReport ? { dataReport: check.dataReport } : {};
  const problems = [
    ...check.problems.map((one) =>
      fromServer && isAboutData(one) ? { ...one, value: shownValue(fromServer.address) } : one,
    ),
    ...ofCheckpoints,
    // A trainer on the SDK says it by itself.
    ...(manifest.datasets.length === 0 && config.data !== undefined && !check.problems.some(isAboutData)
      ? [problem('data', config.data, `must be left out: ${manifest.name} has built-in data`)]
      : []),
    ...elsewhere,
  ];
  if (problems.length > 0) return { ...refused(problems), ...told };
  // Last of all: a configuration that is refused leaves nothing behind.
  let identity = null as string | null;
  const late = await storeProblems(host, config, async (store) => {
    await host.stores.prepare(store);
    identity = await store.identity();
    return [];
  });
  if (late.length > 0) return { ...refused(late), ...told };
  const store = await host.stores.of(config);
  const best = config.checkpoints.best ?? manifest.best;
  const { project, run = '' } = config;
  const place = life && run ? await withStore(() => claimPlace(store, { project, run }, life)) : null;
  return {
    ok: true,
    config: {
      ...config,
      parameters: check.parameters,
      // Whoever trains it trains on what was checked.
      ...(fromServer ? { data: fromServer.address } : {}),
      checkpoints: { ...config.checkpoints, best },
      // Whichever host has the run from now on: what it stores belongs where the check has looked.
      store: config.store ?? store.address,
      ...(identity === null ? {} : { storeIdentity: identity }),
    },
    best,
    canShrinkBatch: manifest.canShrinkBatch,
    outputFolder: `${store.address}/${outputPath(project, place ?? run)}`,
    ...(place === null ? {} : { place, observers: host.observers.of(config) }),
    ...(isClient && trackers.notes.length > 0 ? { notes: trackers.notes } : {}),
    ...told,
  };
}

/** The folder of a project, or why there is none. */
async function downloaded(
  host: Host,
  data: string,
  options: CallOptions,
): Promise<ProjectFolder | { problem: ConfigProblem }> {
  try {
    return await host.projects.get(data, options);
  } catch (error) {
    const isKnown = error instanceof DataSetProblem || error instanceof StoreError;
    if (!isKnown && !isDiskFull(error)) throw error;
    const why = isKnown ? error.message : `${host.id} has no space left for it in its cache folder`;
    return { problem: problem('data', data, why) };
  }
}

const shownCount = ({ done, total }: { done: number; total: number }) =>
  `${done.toLocaleString('en')} of ${total.toLocaleString('en')}`;

const knownRun = 'the id of a run that the Temporal server knows, with an output folder';

/** With the output folder of the run whose id was given in its place; null where nobody knows such a run, or it has none. */
async function withStartFolder(host: Host, config: RunConfig): Promise<RunConfig | null> {
  if (!config.continueFrom) return config;
  const { run, ...continueFrom } = config.continueFrom;
  // An id is taken for a folder's name, too: before there was `run` it was written there.
  const place = run ?? continueFrom.outputFolder;
  if (!placeName.safeParse(place).success) return config;
  const outputFolder = await host.runs.outputFolder(placeName.parse(place));
  return outputFolder === null ? null : { ...config, continueFrom: { ...continueFrom, outputFolder } };
}

function checkpointProblems({ epochs, checkpoints }: RunConfig, manifest: TrainerManifest): ConfigProblem[] {
  const { best, everyEpochs } = checkpoints;
  const names = manifest.metrics.map(({ name }) => name);
  return [
    ...(best && !names.includes(best.metric)
      ? [
          problem(
            'checkpoints.best.metric',
            best.metric,
            `must be a metric that ${manifest.name} reports: ${names.join(', ')}`,
          ),
        ]
      : []),
    ...(everyEpochs > 0 && epochs / everyEpochs > mostKeptForGood
      ? [
          problem(
            'checkpoints.everyEpochs',
            everyEpochs,
            `must be at least ${Math.ceil(epochs / mostKeptForGood)} for ${epochs} epochs, so that at most ${mostKeptForGood} are retained`,
          ),
        ]
      : []),
  ];
}

/** Whoever wrote a relative path cannot know which folder of the worker it would start from. A name is not a path. */
export const relativeDataProblems = (
  { data }: Pick<RunConfig, 'data'>,
  { datasets }: Pick<TrainerManifest, 'datasets'>,
): ConfigProblem[] =>
  datasets.length > 0 && data?.includes('/') && !isAbsolute(data) && !data.startsWith('~')
    ? [problem('data', data, 'must be an absolute path on the worker')]
    : [];

/** What `ask` finds wrong with the run's store, or what keeps it from asking. */
async function storeProblems(
  host: Host,
  config: RunConfig,
  ask: (store: ArtifactStore) => Promise<ConfigProblem[]>,
): Promise<ConfigProblem[]> {
  try {
    return await ask(await host.stores.of(config));
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [problem('store', config.store ?? host.stores.defaultAddress, `must be a writable store: ${error.message}`)];
  }
}

async function takenProblems(store: ArtifactStore, { project, run }: RunConfig): Promise<ConfigProblem[]> {
  // A store that is to be made holds nothing.
  if (run === undefined || !(await store.identity().then(() => true, falseIfStoreUnavailable))) return [];
  const output = outputPath(project, run);
  const message = `must be new: ${store.address}/${output} holds files of a run with this id`;
  for (const file of ['receipt.json', claimFile]) {
    if ((await store.read(`${output}/${file}`)) !== null) return [problem('run', run, message)];
  }
  return [];
}

async function continueProblems(config: RunConfig): Promise<ConfigProblem[]> {
  if (!config.continueFrom) return [];
  try {
    const { manifest } = await findStart(config.continueFrom, config.trainer);
    if (!config.continueFrom.keepProgress || config.epochs > manifest.epoch) return [];
    return [problem('epochs', config.epochs, `must be more than the ${manifest.epoch} that are already trained`)];
  } catch (error) {
    if (error instanceof ContinueFromProblem) return [problem(error.field, error.value, error.allowed)];
    if (error instanceof StoreError)
      return [problem('continueFrom.outputFolder', config.continueFrom.outputFolder ?? '', error.message)];
    throw error;
  }
}

const problem = (field: string, value: z.core.util.JSONType, message: string): ConfigProblem => ({
  field,
  value: shownValue(value),
  message,
});

const isWithoutContainer = (error: unknown): error is Error =>
  (error instanceof TrainerProblem && error.failure.kind === 'noContainer') ||
  (error instanceof EngineProblem && error.isMissing);

function isLastAttempt(): boolean {
  const { attempt, retryPolicy } = Context.current().info;
  return attempt >= (retryPolicy?.maximumAttempts ?? 1);
}

/** Like a store that does not answer: who asks is told, and asks again. */
const containerProblem = (host: Host, { image, trainer }: RunConfig, message: string): ConfigProblem =>
  image === undefined
    ? problem('trainer', trainer, `must be able to run in a container on ${host.id}: ${message}`)
    : problem('image', image, `must be able to run on ${host.id}: ${message}`);

const isAboutData = ({ field }: ConfigProblem) => field === 'data';

const refused = (problems: ConfigProblem[]): CheckedConfig => ({ ok: false, problems });
