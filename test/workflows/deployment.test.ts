/**
 * Servers that serve workflows are versions of one Worker Deployment: runs go over to whichever starts, also back to an older one, and
 * one that cannot go on with an open run leaves it to the others. On a Temporal server of their own, which soon forgets who polled.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { waitingOfNew } from '../../client/cli/waiting-text.ts';
import { TrainingClient } from '../../client/training-client.ts';
import { unservedSentence, workflowQueueNow } from '../../client/workflow-pollers.ts';
import { startTemporalServer, type TemporalServer } from '../../launch/temporal-server.ts';
import { type ControlOptions, type RunningControl, startControl } from '../../server/workflows/control.ts';
import { type Bundle, workflowBundle } from '../../server/workflows/workflow-bundle.ts';
import { startWorker } from '../../worker/main.ts';
import { Hold } from '../faults/hold.ts';
import { TestHost, testLog } from '../support/test-host.ts';
import { until } from '../support/until.ts';

let folder: string;
let temporal: TemporalServer;
let host: TestHost;
let bundle: Bundle;
let controls: RunningControl[];

async function open(dynamicConfig: string[]): Promise<void> {
  temporal = await startTemporalServer({
    ...{ binary: inject('temporalBinary'), logFile: join(folder, 'temporal.log'), ui: false, dynamicConfig },
  });
  host = await TestHost.start({ control: 'none', address: temporal.address });
  bundle = await workflowBundle(host.settings.cacheFolder, testLog());
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-deployment-'));
  controls = [];
});
afterEach(async () => {
  for (const control of controls) await control.stop();
  await host?.stop();
  await temporal?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function serve(options: Partial<ControlOptions>): Promise<RunningControl> {
  const { cacheFolder, workflowQueue } = host.settings;
  const { address } = temporal;
  const { signal } = new AbortController();
  const control = await startControl({
    ...{ log: testLog(), cacheFolder, workflowQueue, temporal: { address }, lookEveryMs: 200, signal },
    ...options,
  });
  controls.push(control);
  return control;
}

const queueNow = () => workflowQueueNow(host.connection, 'default', host.settings.workflowQueue);
const current = async () => (await queueNow()).current;
const isCurrent = (build: string) => until(`${build} is Current`, async () => (await current()) === build);

/** The versions that the server knows, but for the one that serves. */
async function versions(): Promise<(string | null | undefined)[]> {
  const { workerDeploymentInfo } = await host.connection.workflowService.describeWorkerDeployment({
    namespace: 'default',
    deploymentName: host.settings.workflowQueue,
  });
  return (workerDeploymentInfo?.versionSummaries ?? []).map(({ deploymentVersion }) => deploymentVersion?.buildId);
}

it('a run goes over to the version that starts, newer or older, and what cannot replay it does not take over', async () => {
  await open(['matching.PollerHistoryTTL="3s"']);
  // It is said of a run that was just started, too.
  const { workflowQueue, pool } = host.settings;
  const waits = await waitingOfNew(new TrainingClient(host.client, { workflowQueue }), 'any', pool);
  expect(waits).toEqual([expect.stringMatching(/^no server serves workflows, so every run waits/)]);
  const before = await serve({ isVersioned: false });
  expect(before.build).toBeNull();
  const hold = await Hold.at(host.settings.dataFolder, ['1:3', '2:3', '3:3', '4:3', '5:3']);
  const run = await host.start(host.config({ epochs: 6, parameters: { batches: 6, ...hold.parameters } }));
  /** The run's next workflow tasks, after its epoch. */
  const trains = async (epoch: number) => {
    await hold.reached(`${epoch + 1}:3`);
    await run.until(`has ${epoch} epochs`, ({ position }) => position.epoch >= epoch);
  };
  const next = (epoch: number) => hold.release(`${epoch}:3`);
  await hold.reached('1:3');

  // An upgrade of what polls unversioned.
  const first = await serve({ bundle: { ...bundle, digest: 'first' } });
  expect(await current()).toBe('first');
  // It has replayed the run.
  expect(isDebugged()).toBe(false);
  await next(1);
  await trains(1);
  await before.stop();

  // An upgrade beside it.
  const second = await serve({ bundle: { ...bundle, digest: 'second' } });
  expect(await current()).toBe('second');
  // A poll lasts longer than this server remembers who polls.
  await until('it is said to be served', async () => unservedSentence(await queueNow()) === null);
  await next(2);
  await trains(2);

  // It leaves, and the older one takes over.
  await second.stop();
  await isCurrent('first');
  await next(3);
  await trains(3);

  // What has other activities in the place of these is another history.
  const code = (await readFile(bundle.codePath, 'utf8')).replaceAll('openSession', 'openAnother');
  const codePath = join(folder, 'other.js');
  await writeFile(codePath, code);
  const said: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => said.push(line) });
  const broken = await serve({ bundle: { codePath, digest: 'broken' }, log });
  expect(said.join('')).toContain(run.id);
  expect(said.join('')).toContain(
    `set-current-version --namespace default --deployment-name ${host.settings.workflowQueue}`,
  );
  expect(await current()).toBe('first');
  await broken.stop();
  await next(4);
  await trains(4);

  // Nobody serves, and it is told; then back to what was there before: a rollback.
  await first.stop();
  await until('it is said', async () => unservedSentence(await queueNow()) !== null);
  await next(5);
  await serve({ bundle: { ...bundle, digest: 'second' } });
  const receipt = await run.result();
  expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 36, wasted: 0 }, restarts: [] });

  await drainedBeside();

  // Whoever starts removes what is served no longer.
  await until('the versions of old are gone', async () => {
    await (await serve({ bundle: { ...bundle, digest: 'second' } })).stop();
    return (await versions()).join() === 'second';
  });
});

/** Whether something looks at each promise of this process: for the function that its class was made by. */
function isDebugged(): boolean {
  let looked = false;
  class Seen extends Promise<void> {}
  Object.defineProperty(Seen, 'constructor', {
    get: () => {
      looked = true;
      return Function;
    },
  });
  void Seen.resolve();
  return looked;
}

/** A worker that serves workflows, too, and is drained with a run: that decides what follows, and the version that was there before takes over. */
async function drainedBeside(): Promise<void> {
  const { cacheFolder, workflowQueue } = host.settings;
  const common = { log: testLog(), temporal: { address: temporal.address } };
  const { signal } = new AbortController();
  const versioned = { lookEveryMs: 200, signal, bundle: { ...bundle, digest: 'beside' } };
  await host.worker.drain();
  const beside = await startWorker({
    ...common,
    settings: { ...host.settings, dataFolder: folder },
    control: () => startControl({ ...common, cacheFolder, workflowQueue, ...versioned }),
  });
  try {
    expect(await current()).toBe('beside');
    const hold = await Hold.at(folder, ['1:3']);
    const run = await host.start(host.config({ epochs: 2, parameters: { batches: 6, ...hold.parameters } }));
    await hold.reached('1:3');
    await beside.drain();
    await isCurrent('second');
    await run.until('waits for another host', ({ detail }) => detail === 'training.acquiring');
    expect((await run.view()).restarts).toMatchObject([{ reason: 'preemption' }]);
    // By the one that was drained, before it went: otherwise the run would have waited until somebody took over.
    const { events } = await run.handle.fetchHistory();
    const asked = events?.findLast((event) => {
      return event.activityTaskScheduledEventAttributes?.activityType?.name === 'openSession';
    })?.activityTaskScheduledEventAttributes;
    const decision = events?.find(({ eventId }) => String(eventId) === String(asked?.workflowTaskCompletedEventId));
    expect(JSON.stringify(decision?.workflowTaskCompletedEventAttributes)).toMatch(/\bbeside\b/);
    await run.handle.terminate();
  } finally {
    await beside.stopNow();
  }
}

it('a server without Worker Deployments has its workflows served without a version', async () => {
  await open(['system.enableDeploymentVersions=false']);
  const { build } = await serve({});
  expect(build).toBeNull();
  const run = await host.start(host.config({ epochs: 1 }));
  expect(await run.result()).toMatchObject({ outcome: 'completed' });
});
