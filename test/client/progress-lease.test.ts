/** Who has a host tell of a run, and how often: one of all who watch, and again before the host forgets. */
import { expect, it } from 'vitest';
import type { LiveProgress } from '../../client/live-progress.ts';
import { ProgressLease } from '../../client/progress-lease.ts';

const on = (taskQueue: string, activity = 'trainEpoch') =>
  ({
    raw: {
      pendingActivities: [{ activityType: { name: activity }, activityOptions: { taskQueue: { name: taskQueue } } }],
    },
  }) as unknown as Parameters<ProgressLease['keep']>[0];

const told = (watchedUntil?: string): LiveProgress[] => [
  {
    kind: 'progress',
    progress: {
      ...{ phase: 'train', epoch: 1, epochs: 3, batch: 1, batches: 2, metrics: {}, rate: null, memoryBytes: null },
      at: '2026-01-01T00:00:00.000Z',
      ...(watchedUntil ? { watchedUntil } : {}),
    },
  },
];
const [first, second, third] = ['30', '50', '59'].map((seconds) => `2026-01-01T00:00:${seconds}.000Z`);

/** `look` is after so many seconds, and answers which hosts were asked by then. */
function watcher(answer: () => Promise<number> = async () => 30) {
  const asked: string[] = [];
  let now = 1_000_000;
  const lease = new ProgressLease(
    (host) => {
      asked.push(host);
      return answer();
    },
    () => now,
  );
  const look = async (seconds: number, described: ReturnType<typeof on>, live: LiveProgress[] = told()) => {
    now += seconds * 1000;
    lease.keep(described, live);
    // What the host answers is heard.
    await new Promise((resolve) => setImmediate(resolve));
    return asked;
  };
  return { look };
}

it('asks the host that trains at once, and again after half of the lease', async () => {
  const { look } = watcher();
  expect(await look(0, on('gpu', 'openSession'))).toEqual([]);
  expect(await look(0, on('host.a'))).toEqual(['a']);
  expect(await look(1, on('host.a'), told(first))).toEqual(['a']);
  expect(await look(13, on('host.a'), told(first))).toEqual(['a']);
  expect(await look(8, on('host.a'), told(first))).toEqual(['a', 'a']);
});

it('asks while its trainer does what follows the last epoch', async () => {
  const { look } = watcher();
  expect(await look(0, on('host.a.b.control', 'stopTrainer'))).toEqual(['a.b']);
});

it('asks for nothing while others do', async () => {
  const { look } = watcher();
  await look(0, on('host.a'));
  await look(1, on('host.a'), told(first));
  // By half of the lease somebody else has asked.
  await look(12, on('host.a'), told(first));
  await look(1, on('host.a'), told(second));
  expect(await look(13, on('host.a'), told(second))).toEqual(['a']);
  expect(await look(10, on('host.a'), told(second))).toEqual(['a', 'a']);
});

it('asks at once where it does not know how old a lease is: the last one to watch may have left since', async () => {
  const { look } = watcher();
  // What the host told before it ran out; it tells seldom then.
  expect(await look(0, on('host.a'), told(first))).toEqual(['a']);
  expect(await look(1, on('host.a'), told(second))).toEqual(['a']);
  expect(await look(13, on('host.a'), told(second))).toEqual(['a']);
  // Somebody else has come and gone while nobody looked here.
  expect(await look(600, on('host.a'), told(third))).toEqual(['a', 'a']);
});

it('asks at once where a worker has started that knows of no lease, and where another host trains', async () => {
  const { look } = watcher();
  await look(0, on('host.a'));
  await look(1, on('host.a'), told(first));
  expect(await look(1, on('host.a'), [])).toEqual(['a']);
  expect(await look(1, on('host.a'), told())).toEqual(['a', 'a']);
  expect(await look(1, on('host.b'), told())).toEqual(['a', 'a', 'b']);
});

it('asks ever less often where nobody answers, or a host of old does', async () => {
  const { look } = watcher(() => Promise.reject(new Error('of old')));
  let before = 0;
  const pauses: number[] = [];
  for (let second = 0; second < 240; second++) {
    const { length } = await look(1, on('host.a'));
    if (length > pauses.length) {
      pauses.push(second - before);
      before = second;
    }
  }
  expect(pauses).toEqual([0, 3, 6, 12, 24, 48, 60, 60]);
});
