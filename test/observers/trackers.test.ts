/** Which trackers a run is told to: by its configuration, by the worker, and what keeps it from that. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkTrackers } from '../../activities/check-trackers.ts';
import { problemsOf } from '../../contracts/config-problems.ts';
import { problemSentence } from '../../contracts/failure.ts';
import type { ObservedEvent } from '../../contracts/observed-events.ts';
import { runConfigSchema, storedDraftSchema, storedRunConfigSchema } from '../../contracts/run-config.ts';
import { mostSystemBytes } from '../../contracts/system-metrics.ts';
import {
  chosenTrackers,
  experimentOf,
  type TrackerConfig,
  type TrackerName,
  trackerConfig,
} from '../../contracts/trackers.ts';
import type { ObservedRun } from '../../observers/observer.ts';
import { SeenClaims, Tracker, type TrackerQuestion } from '../../observers/tracker.ts';
import { StoreError } from '../../stores/artifact-store.ts';
import { openStore } from '../../stores/open-store.ts';
import { experimentOf as shownExperiment, trackersFor } from '../../web/src/wizard/chosen-tracker.ts';
import { OtherLife } from '../../worker/claims.ts';
import { Observers } from '../../worker/observers.ts';
import { readSettings } from '../../worker/settings.ts';
import { observedRun } from '../support/observed-run.ts';
import { testLog } from '../support/test-host.ts';

const server = { MLFLOW_TRACKING_URI: 'https://mlflow.example.org' };
const configOf = (trackers?: TrackerConfig[]) =>
  runConfigSchema.parse({ trainer: 't', epochs: 1, ...(trackers ? { trackers } : {}) });
const observersOf = (trackers: TrackerName[], env: NodeJS.ProcessEnv = server) =>
  new Observers({ webhook: null, notify: null, trackers, env });

describe('trackers in a configuration', () => {
  const sentencesOf = (trackers: unknown) => {
    const config = { trainer: 't', epochs: 1, trackers };
    const { error } = runConfigSchema.safeParse(config);
    return error ? problemsOf(error, config).map(problemSentence) : [];
  };

  it.each([
    [['comet'], 'trackers[0] is "comet": must be "mlflow", "wandb" or a mapping of fields to values'],
    [[{ comet: {} }], 'trackers[0] is {"comet":{}}: must be "mlflow" or "wandb"'],
    [[{ wandb: { project: 'a/b' } }], 'trackers[0].wandb.project is "a/b": must have none of / \\ # ? % : in it'],
    [[{ mlflow: { exp: 1 } }], 'trackers[0].mlflow.exp is 1: unknown field; leave it out'],
    [
      [{ mlflow: { experiment: ' a' } }],
      'trackers[0].mlflow.experiment is " a": must be plain text without blanks at its ends',
    ],
    [['mlflow', { mlflow: {} }], 'trackers is ["mlflow",{"mlflow":{}}]: must name each tracker once'],
    ['mlflow', 'trackers is "mlflow": must be a list'],
  ])('are not %j', (trackers, sentence) => {
    expect(sentencesOf(trackers)).toEqual([sentence]);
  });

  it('are kept as another version wrote them, and those that are known are told', () => {
    const trackers = ['clearml', { comet: { a: 1 } }, { mlflow: { experiment: 'e', more: true } }];
    const stored = storedRunConfigSchema.parse({ trainer: 't', epochs: 1, trackers });
    expect(stored.trackers).toEqual(trackers);
    expect(storedDraftSchema.parse({ trackers, later: 1 })).toMatchObject({ trackers, later: 1 });
    expect(chosenTrackers(stored.trackers ?? [])).toEqual([{ name: 'mlflow', experiment: 'e' }]);
  });

  it('of W&B name a project and whose it is, each alone, too', () => {
    for (const [one, experiment, told] of [
      ['wandb', null, 'p'],
      [{ wandb: { project: 'vision' } }, 'vision', 'vision'],
      [{ wandb: { entity: 'team' } }, null, 'team/p'],
      [{ wandb: { project: 'vision', entity: 'team' } }, 'vision', 'team/vision'],
    ] as const) {
      const [chosen] = chosenTrackers(
        runConfigSchema.parse({ trainer: 't', epochs: 1, trackers: [one] }).trackers ?? [],
      );
      expect(chosen).toMatchObject({ name: 'wandb', experiment });
      expect(chosen && trackerConfig(chosen)).toEqual(one);
      expect(chosen && experimentOf(chosen, 'p')).toBe(told);
    }
  });
});

describe('the trackers of a run', () => {
  const namesOf = (observers: Observers, trackers?: TrackerConfig[]) =>
    observers.of(configOf(trackers)).map(({ name }) => name);

  it('are those that it names, or else those of the worker', () => {
    const [with_, without] = [observersOf(['mlflow']), observersOf([])];
    expect(namesOf(without)).toEqual(['events-file']);
    expect(namesOf(without, ['mlflow'])).toEqual(['events-file', 'mlflow']);
    expect(namesOf(with_)).toEqual(['events-file', 'mlflow']);
    expect(namesOf(with_, [])).toEqual(['events-file']);
    const told = with_.of(configOf()).find(({ name }) => name === 'mlflow');
    expect(told).toEqual({ name: 'mlflow', kinds: ['state', 'epoch', 'ended'] });
  });

  it('are settled by the worker that checks it: whoever tells it has the same ones, with the same experiment', () => {
    const named = observersOf(['mlflow'], { ...server, MLFLOW_EXPERIMENT_NAME: 'vision' });
    const settled = named.trackers.settled(configOf());
    expect(settled.trackers).toEqual([{ mlflow: { experiment: 'vision' } }]);
    const other = observersOf([], { ...server, MLFLOW_EXPERIMENT_NAME: 'speech' });
    expect(other.get('mlflow', settled)).toMatchObject({ experiment: 'vision' });
    expect(observersOf(['mlflow']).trackers.settled(configOf()).trackers).toEqual(['mlflow']);
    const own = configOf([{ mlflow: { experiment: 'own' } }]);
    expect(named.trackers.settled(own)).toEqual(own);
    expect(named.trackers.settled(configOf([])).trackers).toEqual([]);
    const team = { WANDB_API_KEY: 'k', WANDB_ENTITY: 'team', WANDB_PROJECT: 'vision' };
    const ofTeam = observersOf(['wandb'], team).trackers.settled(configOf());
    expect(ofTeam.trackers).toEqual([{ wandb: { project: 'vision', entity: 'team' } }]);
    expect(
      observersOf([], {})
        .of(ofTeam)
        .map(({ name }) => name),
    ).toContain('wandb');
    expect(observersOf([], { ...team, WANDB_ENTITY: 'me' }).get('wandb', ofTeam)).toMatchObject({ entity: 'team' });
    expect(observersOf([]).trackers.settled(configOf())).toEqual(configOf());
  });

  it('are nobody else’s: an observer that it has not is not there', () => {
    const observers = observersOf([]);
    expect(() => observers.get('mlflow', configOf())).toThrow('this worker has no observer mlflow');
    const unable = observersOf([], {});
    expect(namesOf(unable, ['mlflow'])).toContain('mlflow');
    expect(() => unable.get('mlflow', configOf(['mlflow']))).toThrow('cannot tell mlflow: MLFLOW_TRACKING_URI is not');
  });

  it('have one program, whichever the experiment', () => {
    const observers = observersOf([]);
    const sourceOf = (experiment: string) => {
      const tracker = observers.get('mlflow', configOf([{ mlflow: { experiment } }]));
      return tracker instanceof Tracker ? tracker.source : null;
    };
    expect(sourceOf('a')).toBe(sourceOf('b'));
    expect(sourceOf('a')).not.toBeNull();
  });
});

it('a configuration is refused where its worker cannot tell its tracker', async () => {
  const asked = { signal: new AbortController().signal, onProgress: () => {} };
  const host = { id: 'a-host', log: testLog(), observers: observersOf([], {}) };
  const { problems } = await checkTrackers(host, configOf(['mlflow']), asked);
  expect(problems.map(problemSentence)).toEqual([
    'trackers is ["mlflow"]: a-host cannot tell mlflow: MLFLOW_TRACKING_URI is not set',
  ]);
  expect(await checkTrackers(host, configOf(), asked)).toEqual({ problems: [], notes: [] });
});

describe('EPOCHAL_TRACKERS', () => {
  it.each([
    [{ ...server }, 'comet', 'EPOCHAL_TRACKERS names "comet": must be mlflow, wandb'],
    [{}, 'wandb', 'EPOCHAL_TRACKERS names wandb, and WANDB_API_KEY is not set'],
    [{ WANDB_API_KEY: 'hidden', WANDB_MODE: 'dryrun' }, 'wandb', 'and WANDB_MODE must be online or offline'],
    [{ WANDB_API_KEY: 'k', WANDB_BASE_URL: 'http://u:hidden@h' }, 'wandb', 'with no user and no password in it'],
    [{ WANDB_MODE: 'offline', WANDB_DIR: 'here' }, 'wandb', 'and WANDB_MODE is offline, and WANDB_DIR is not the'],
    [{ WANDB_API_KEY: 'k', WANDB_ENTITY: 'a/b' }, 'wandb', 'and WANDB_ENTITY must have none of'],
    [{}, 'mlflow', 'EPOCHAL_TRACKERS names mlflow, and MLFLOW_TRACKING_URI is not set'],
    [{ MLFLOW_TRACKING_URI: '/somewhere' }, 'mlflow', 'and MLFLOW_TRACKING_URI must be the http or https address'],
    [
      { MLFLOW_TRACKING_URI: 'http://u:hidden@h' },
      'mlflow',
      'and MLFLOW_TRACKING_URI must have no user and no password',
    ],
    [{ ...server, MLFLOW_EXPERIMENT_NAME: ' a' }, 'mlflow', 'and MLFLOW_EXPERIMENT_NAME must be plain text without'],
  ])('with %j is not %s', (env, text, sentence) => {
    const read = () => readSettings({ EPOCHAL_DATA_DIR: '/data', EPOCHAL_TRACKERS: text, ...env });
    expect(read).toThrow(sentence);
    expect(read).not.toThrow('hidden');
  });

  it('names those of runs that choose none', () => {
    const read = (env: NodeJS.ProcessEnv) => readSettings({ EPOCHAL_DATA_DIR: '/data', ...env }).trackers;
    expect(read({})).toEqual([]);
    expect(read({ ...server, EPOCHAL_TRACKERS: ' mlflow, mlflow' })).toEqual(['mlflow']);
    expect(read({ WANDB_MODE: 'offline', WANDB_DIR: '/runs', EPOCHAL_TRACKERS: 'wandb' })).toEqual(['wandb']);
    expect(read({ MLFLOW_TRACKING_URI: 'databricks', EPOCHAL_TRACKERS: 'mlflow' })).toEqual(['mlflow']);
  });
});

it('the form shows and writes what the configuration says, and leaves alone what it cannot show', () => {
  for (const trackers of [undefined, [], ['mlflow'], [{ mlflow: { experiment: 'e' } }]]) {
    const { choice, experiment } = shownExperiment(trackers);
    expect(trackersFor(choice, experiment)).toEqual(trackers);
  }
  expect(shownExperiment([{ mlflow: {} }])).toEqual({ choice: 'mlflow', experiment: '' });
  for (const other of ['mlflow', ['wandb'], ['mlflow', 'wandb'], [{ mlflow: 3, more: 1 }]])
    expect(shownExperiment(other).experiment).toBe('');
  expect(shownExperiment(['mlflow', 'wandb']).choice).toBeNull();
});

describe('before a tracker is told', () => {
  const event: ObservedEvent = {
    ...{ kind: 'state', id: 'first/1', run: 'r', life: 'first', seq: 1, at: '2026-01-01T00:00:00.000Z' },
    ...{ position: { epoch: 0, batch: 0 }, data: { state: 'training', detail: 'training.epoch' } },
  };
  const endedAt = (outputFolder: string | null): ObservedEvent => ({
    ...{ ...event, kind: 'ended' },
    data: { outcome: 'failed', cause: { kind: 'finished' }, place: 'r', outputFolder, metrics: {} },
  });
  const ours = () => Promise.resolve({ store: openStore('/nowhere'), folder: 'r' });
  const away = () => Promise.reject(new StoreError('the store is away', true));
  const another = () => Promise.reject(new OtherLife('r', null));

  function told() {
    const questions: TrackerQuestion[] = [];
    const source = { ask: (question: TrackerQuestion) => Promise.resolve(void questions.push(question)) };
    const tracker = new Tracker('mlflow', source, null, new SeenClaims());
    const tell = (run: Partial<ObservedRun>, one: ObservedEvent = event) =>
      tracker.tell([one], observedRun('r', run), {
        signal: new AbortController().signal,
        onTold: () => {},
        onRefused: () => {},
      });
    return { questions, tell };
  }

  it('the place of the run is seen to be of its life, once', async () => {
    const { questions, tell } = told();
    await expect(tell({ output: away })).rejects.toThrow('the store is away');
    await expect(tell({ output: another })).rejects.toThrow('another life');
    expect(questions).toEqual([]);
    await tell({ output: ours });
    await tell({ output: away });
    expect(questions).toHaveLength(2);
  });

  it.each([
    ['has no receipt', null, [1, 2], null],
    ['has a receipt', '{}', [1, 2], [1, 2]],
    ['has a receipt, and no epoch', '{}', null, []],
  ])('of what counts, where the store %s, it is told accordingly', async (_, receipt, epochs, rows) => {
    const store = openStore(await mkdtemp(join(tmpdir(), 'epochal-trackers-')));
    await store.prepare(false);
    const lines = epochs?.map((epoch) => JSON.stringify({ epoch, batches: 1, seconds: 1, metrics: {}, at: event.at }));
    if (receipt) await store.write('r/receipt.json', receipt);
    if (lines) await store.write('r/metrics.jsonl', lines.join('\n'));
    const { questions, tell } = told();
    await tell({ output: () => Promise.resolve({ store, folder: 'r' }) }, endedAt(null));
    const [question] = questions;
    expect(question?.do === 'tell' && (question.rows?.map(({ epoch }) => epoch) ?? null)).toEqual(rows);
    await rm(store.address, { recursive: true });
  });

  it.each([
    ['has no receipt', false, 5, { batches: null, system: null }],
    ['has a receipt', true, 5, { batches: 'batch', system: 'sssss' }],
    ['has more than is ever written', true, mostSystemBytes + 1, { batches: 'batch', system: null }],
  ])('of batches and the host, where the store %s, it is told accordingly', async (_, isOver, size, measured) => {
    const store = openStore(await mkdtemp(join(tmpdir(), 'epochal-trackers-')));
    await store.prepare(false);
    if (isOver) await store.write('r/receipt.json', '{}');
    await store.write('r/batches.jsonl', 'batch');
    await store.write('r/system.jsonl', 's'.repeat(size));
    const { questions, tell } = told();
    // A network may damage a part, of which nobody proves what it is.
    const readPart = store.readPart.bind(store);
    store.readPart = async (...asked) => {
      const part = await readPart(...asked);
      return part && { ...part, bytes: part.bytes.map(() => 0) };
    };
    const output = () => Promise.resolve({ store, folder: 'r' });
    const gap: ObservedEvent = { ...event, kind: 'gap', data: { events: {} } };
    await tell({ output }, gap);
    await tell({ output }, endedAt(null));
    expect(questions).toMatchObject([{ batches: null, system: null }, measured]);
    await rm(store.address, { recursive: true });
  });

  it('of checkpoints and images it is told where they are, where there are results', async () => {
    const store = openStore(await mkdtemp(join(tmpdir(), 'epochal-trackers-')));
    await store.prepare(false);
    const checkpoint = (epoch: number, batch: number, reasons: string[]) => ({
      ...{
        name: `${epoch}-${batch}`,
        epoch,
        batch,
        metrics: {},
        files: [],
        createdAt: event.at,
        session: 's',
        reasons,
      },
    });
    const images = Array.from({ length: 22 }, (_, index) => `artifacts/${index}.PNG`);
    const receipt = {
      ...{ notes: [], data: null },
      checkpoints: [checkpoint(1, 0, ['best', 'last']), checkpoint(3, 4, ['resume']), checkpoint(3, 0, ['last'])],
      files: [...images, 'artifacts/model.onnx', 'pages/1.png'].map((path) => ({ path, size: 1, sha256: '' })),
    };
    await store.write('r/receipt.json', JSON.stringify(receipt));
    const { questions, tell } = told();
    const output = () => Promise.resolve({ store, folder: 'r' });
    await tell({ output }, endedAt('s3://bucket/r'));
    await tell({ output }, endedAt(null));
    const [there, nowhere] = questions.map((one) => (one.do === 'tell' ? one.ended : null));
    expect(there?.links).toEqual({
      best_checkpoint: 's3://bucket/r/checkpoints/1-0',
      last_checkpoint: 's3://bucket/r/checkpoints/3-4',
    });
    const shown = images.slice(0, 20).map((path) => `- Image: \`s3://bucket/r/${path}\``);
    expect(String(there?.notes).split('\n\n').slice(2)).toEqual([...shown, '- and 2 more images']);
    expect(nowhere).toMatchObject({ links: {}, notes: '**failed**: finished' });
    await rm(store.address, { recursive: true });
  });

  it('another execution, which may be of a life after a reset, has seen nothing yet', async () => {
    const { questions, tell } = told();
    await tell({ output: ours });
    await expect(tell({ output: away, execution: 'second' })).rejects.toThrow('the store is away');
    await expect(tell({ output: away, place: 'r@1' })).rejects.toThrow('the store is away');
    await tell({ output: ours, execution: null });
    await expect(tell({ output: away, execution: null })).rejects.toThrow('the store is away');
    expect(questions).toHaveLength(2);
  });
});
