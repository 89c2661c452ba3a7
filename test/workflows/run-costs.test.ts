/**
 * What an epoch costs, in counts: they are the same on any machine, as times are not. A change that lets one of them grow says here why
 * it has to.
 */
import { createHook } from 'node:async_hooks';
import { readFile } from 'node:fs/promises';
import type { WorkerInterceptors } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { TestHost } from '../support/test-host.ts';

const epochs = 20;
/** Start-up and end are no epochs. */
const [first, last] = [3, 18];

interface Counts {
  heartbeats: number;
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
const note = async (when: 'before' | 'after') => {
  seen[when] = { heartbeats, fileOperations, bytesRead: await bytesRead() };
};
const counting: WorkerInterceptors = {
  activity: [
    (context) => {
      const send = context.heartbeat.bind(context);
      const heard = (details: unknown) => {
        if (['trainEpoch', 'keepCheckpoints'].includes(context.info.activityType)) heartbeats++;
        send(details);
      };
      Object.defineProperty(context, 'heartbeat', { value: heard });
      return {
        inbound: {
          execute: async (input, next) => {
            const epoch = context.info.activityType === 'trainEpoch' ? Reflect.get(Object(input.args[0]), 'epoch') : 0;
            if (epoch === first) await note('before');
            if (epoch === last) await note('after');
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
const numberOf = (attributes: keyof ReturnType<typeof events>[number]) =>
  events().filter((event) => event[attributes]).length;
const perEpoch = (count: keyof Counts) =>
  ((seen.after?.[count] ?? Number.NaN) - (seen.before?.[count] ?? Number.NaN)) / (last - first);

beforeAll(async () => {
  hook.enable();
  host = await TestHost.start({ interceptors: counting });
  const run = await host.start(host.config({ epochs, parameters: { batches: 1, validation_batches: 0 } }));
  await run.result();
  history = await run.handle.fetchHistory();
});
afterAll(async () => {
  hook.disable();
  await host?.stop();
});

it('an epoch is an activity, and its checkpoint another one; whatever else a run asks for, it asks for once', () => {
  const { trainEpoch = 0, keepCheckpoints = 0, tellObserver = 0, ...others } = scheduled();
  console.log(scheduled());
  expect(trainEpoch).toBeLessThanOrEqual(epochs);
  expect(keepCheckpoints).toBeLessThanOrEqual(epochs);
  expect(tellObserver).toBeLessThanOrEqual(6);
  expect(others).toEqual({ checkConfig: 1, openSession: 1, stopTrainer: 1, publish: 1, cleanUp: 1 });
});

it('an epoch costs so many workflow tasks, timers and bytes of history', () => {
  console.log(
    'wft',
    numberOf('workflowTaskCompletedEventAttributes'),
    'timers',
    numberOf('timerStartedEventAttributes'),
    'upserts',
    numberOf('upsertWorkflowSearchAttributesEventAttributes'),
    'bytes',
    bytesOf(events()),
  );
});

it('an epoch costs so many file operations and bytes read, and where nobody watches no heartbeat', () => {
  console.log(perEpoch('fileOperations'), perEpoch('bytesRead'), heartbeats);
});

function bytesOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (value instanceof Uint8Array) return value.length;
  return value !== null && typeof value === 'object'
    ? Object.values(value).reduce((sum: number, one) => sum + bytesOf(one), 0)
    : 0;
}
describe;
runConfigSchema;
