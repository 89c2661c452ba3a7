/**
 * What an epoch costs, in counts: they are the same on any machine, as times are not. A change that lets one of them grow says here why
 * it has to.
 */
import { createHook } from 'node:async_hooks';
import { readFile } from 'node:fs/promises';
import { platform } from 'node:os';
import type { WorkerInterceptors } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { beatsInTimeout } from '../../activities/activity-support.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { TestHost } from '../support/test-host.ts';

/**
 * As on a host that has no /proc: how often trainers are measured depends on the clock, and what that takes on all processes of the
 * machine (`test/worker/system-metrics.test.ts` counts it).
 */
vi.mock('../../worker/system/system-recorder.ts', () => ({
  SystemRecorder: class {
    tick = async () => null;
    end = async () => undefined;
  },
}));

const epochs = 20;
/** Start-up and end are no epochs. */
const [first, last] = [3, 18];

interface Counts {
  epoch: number;
  /** By the clock. */
  seconds: number;
  /** Each is a call of the system that another thread waits for. */
  fileOperations: number;
  bytesRead: number;
}

let fileOperations = 0;
const hook = createHook({
  init: (_, type) => {
    if (type === 'FSREQPROMISE' || type === 'FSREQCALLBACK') fileOperations++;
  },
});

/** Of this process, sockets of trainers included. */
const bytesRead = async (): Promise<number> =>
  Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8').catch(() => ''))?.[1] ?? 0);

let host: TestHost;
let heartbeats = 0;
const seen: Partial<Record<'before' | 'after', Counts>> = {};
const note = async (when: 'before' | 'after', epoch: number) => {
  seen[when] ??= { epoch, seconds: performance.now() / 1000, fileOperations, bytesRead: await bytesRead() };
};
const counting: WorkerInterceptors = {
  activity: [
    (context) => {
      const send = context.heartbeat.bind(context);
      const heard = (details: unknown) => {
        // A run that ends is watched: a checkpoint that is being stored then has one.
        const isOfEpochs =
          seen.after === undefined && ['trainEpoch', 'keepCheckpoints'].includes(context.info.activityType);
        if (isOfEpochs) heartbeats++;
        send(details);
      };
      Object.defineProperty(context, 'heartbeat', { value: heard });
      return {
        inbound: {
          execute: async (input, next) => {
            const epoch = context.info.activityType === 'trainEpoch' ? Reflect.get(Object(input.args[0]), 'epoch') : 0;
            // A slow machine answers for two epochs at once now and then.
            if (epoch >= first) await note('before', epoch);
            if (epoch >= last) await note('after', epoch);
            return next(input);
          },
        },
      };
    },
  ],
};

type History = Awaited<ReturnType<Awaited<ReturnType<TestHost['start']>>['handle']['fetchHistory']>>;
let history: History;
const events = () => history.events ?? [];
/** Of the activities of the whole run, how many of each. */
const scheduled = (): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const { activityTaskScheduledEventAttributes: activity } of events()) {
    const name = activity?.activityType?.name;
    if (name) found[name] = (found[name] ?? 0) + 1;
  }
  return found;
};
type Attributes = keyof ReturnType<typeof events>[number];
const numberOf = (attributes: Attributes) => events().filter((event) => event[attributes]).length;
const between = (count: keyof Counts) => (seen.after?.[count] ?? Number.NaN) - (seen.before?.[count] ?? Number.NaN);
const perEpoch = (count: keyof Counts) => between(count) / between('epoch');

beforeAll(async () => {
  hook.enable();
  host = await TestHost.start({ interceptors: counting });
  // Long enough for each checkpoint to be stored by itself, on a busy machine, too.
  const run = await host.start(
    host.config({ epochs, parameters: { batches: 1, batch_seconds: 0.2, validation_batches: 0 } }),
  );
  await run.result();
  history = await run.handle.fetchHistory();
});
afterAll(async () => {
  hook.disable();
  await host?.stop();
});

/** By Temporal's own list of what its cloud counts, as far as a run does such things. A client's calls are none of its costs. */
const actions = (): number =>
  1 +
  [
    'activityTaskScheduledEventAttributes',
    'timerStartedEventAttributes',
    'upsertWorkflowSearchAttributesEventAttributes',
    'workflowPropertiesModifiedEventAttributes',
    'workflowExecutionSignaledEventAttributes',
    'workflowExecutionUpdateAcceptedEventAttributes',
    'workflowExecutionContinuedAsNewEventAttributes',
  ].reduce((sum, kind) => sum + numberOf(kind as Attributes), 0);

it('an epoch is an activity, and its checkpoint another one; what else a run asks for, it asks for once', () => {
  const { trainEpoch = 0, keepCheckpoints = 0, tellObserver = 0, ...others } = scheduled();
  expect(trainEpoch).toBeLessThanOrEqual(epochs);
  expect(keepCheckpoints).toBeLessThanOrEqual(epochs);
  // Every 10 s, and at the end; a busy machine takes its time.
  expect(tellObserver).toBeLessThanOrEqual(10);
  expect(others).toEqual({ checkConfig: 1, openSession: 1, stopTrainer: 1, publish: 1, cleanUp: 1 });
});

it('an epoch takes two workflow tasks, one change of search attributes, and few bytes of history', () => {
  expect(numberOf('workflowTaskCompletedEventAttributes')).toBeLessThanOrEqual(2 * epochs + 20);
  // Where it has the best metric so far; the others are states of the run.
  expect(numberOf('upsertWorkflowSearchAttributesEventAttributes')).toBeLessThanOrEqual(epochs + 10);
  expect(numberOf('timerStartedEventAttributes')).toBeLessThanOrEqual(10);
  expect(bytesOf(events()) / epochs).toBeLessThan(7_500);
});

it('an epoch takes few file operations, and reads little', () => {
  expect(perEpoch('fileOperations')).toBeGreaterThan(10);
  // What the host does every few seconds counts for more where epochs take long.
  expect(between('fileOperations')).toBeLessThan(165 * between('epoch') + 20 * between('seconds'));
  // Files that are younger than a tick of the file system's clock are read again: their time does not tell a later write (`KnownDigests`).
  // Where there is no /proc nobody counts them.
  if (platform() === 'linux')
    expect(between('bytesRead')).toBeLessThan(31_000 * between('epoch') + 2_000 * between('seconds'));
});

it('nobody watches it: epochs that are shorter than a third of the heartbeat timeout have no heartbeat', () => {
  expect(heartbeats).toBe(0);
});

it('an hour of epochs of ten minutes takes at most 450 Temporal actions', () => {
  const { tellObserver = 0 } = scheduled();
  // Each epoch is told of by itself, and not ten together: its end, and 10 s later its stored checkpoint.
  const toldOf = 2 * 2;
  const ofEpoch = (actions() - tellObserver - numberOf('timerStartedEventAttributes')) / epochs + toldOf;
  const { heartbeatSeconds } = runConfigSchema.shape.deadlines.parse({});
  const heartbeatsAnHour = 3600 / (heartbeatSeconds / beatsInTimeout);
  expect(6 * ofEpoch + heartbeatsAnHour).toBeLessThanOrEqual(450);
});

/** Of the payloads of a history, and whatever else it holds. */
function bytesOf(value: unknown): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length;
  if (value === null || typeof value !== 'object') return 0;
  return Object.values(value).reduce((sum: number, one) => sum + bytesOf(one), 0);
}
