/** What a worker makes of signals that come once, twice, or from a batch system, and of a machine that is taken away. */
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { moreToTrain, WorkerSignals } from '../../worker/worker-signals.ts';

let signals: WorkerSignals;
afterEach(() => signals?.close());

/** What it asks of a worker, in order; `tell` is heard by these signals alone, and by nobody else in this process. */
function listening(options?: { inBatchJob?: boolean }) {
  const names = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
  const before = new Map(names.map((name) => [name, new Set<unknown>(process.listeners(name))]));
  signals = new WorkerSignals(pino({ level: 'silent' }), options);
  const asked: string[] = [];
  const worker = {
    stopped: new Promise<void>(() => undefined),
    drain: async (seconds?: number) => void asked.push(seconds === undefined ? 'drain' : `drain in ${seconds} s`),
    handOver: async () => void asked.push('hand over'),
    stopNow: async () => void asked.push('stop now'),
  };
  const tell = (...told: (typeof names)[number][]) => {
    for (const name of told)
      for (const listener of process.listeners(name)) if (!before.get(name)?.has(listener)) listener(name);
  };
  void signals.obeyedBy(worker);
  return { asked, tell };
}

it('a first SIGTERM drains, a second one ends at once, and a SIGHUP is never the second', () => {
  const { asked, tell } = listening();
  tell('SIGTERM', 'SIGHUP');
  expect(asked).toEqual(['drain']);
  tell('SIGTERM');
  expect(asked).toEqual(['drain', 'stop now']);
});

it('a notice drains within its time; the SIGTERM that follows says nothing new, and another one ends at once', () => {
  const { asked, tell } = listening();
  signals.ask('EC2 will terminate this instance', 120);
  signals.ask('EC2 will terminate this instance', 115);
  tell('SIGTERM');
  expect(asked).toEqual(['drain in 120 s']);
  tell('SIGTERM');
  expect(asked).toEqual(['drain in 120 s', 'stop now']);
});

it('a notice after a SIGTERM changes nothing', () => {
  const { asked, tell } = listening();
  tell('SIGTERM');
  signals.ask('Azure announces Preempt', 30);
  tell('SIGTERM');
  expect(asked).toEqual(['drain', 'stop now']);
});

it('one that hands over drains where that is asked for later', () => {
  const { asked, tell } = listening();
  tell('SIGUSR2', 'SIGUSR2', 'SIGTERM', 'SIGUSR2');
  expect(asked).toEqual(['hand over', 'drain']);
});

// What Slurm sends of a cancel, a preemption with a grace time, and a time limit; SIGCONT is obeyed by the kernel alone.
it.each([
  ['scancel, or the time limit', ['SIGTERM'], 0],
  ['a preemption: at its beginning and at the end of the grace time', ['SIGTERM', 'SIGTERM'], 0],
  ['srun, which passes on what its tasks get anyway', ['SIGTERM', 'SIGTERM', 'SIGTERM'], 0],
  ['--signal=USR1, and then the time limit', ['SIGUSR1', 'SIGTERM'], moreToTrain],
  ['--signal=USR1 after a preemption began', ['SIGTERM', 'SIGUSR1'], 0],
] as const)('in a batch job it drains, and nothing more, at %s', (_, told, exitCode) => {
  const { asked, tell } = listening({ inBatchJob: true });
  tell(...told);
  expect(asked).toEqual(['drain']);
  expect(signals.exitCode).toBe(exitCode);
});

it('in a batch job Ctrl-C twice still ends at once', () => {
  const { asked, tell } = listening({ inBatchJob: true });
  tell('SIGINT', 'SIGINT');
  expect(asked).toEqual(['drain', 'stop now']);
});

it('one that is told while it starts drains as soon as it serves', async () => {
  const { asked, tell } = listening();
  const later = new WorkerSignals(pino({ level: 'silent' }));
  later.ask('Google Cloud preempts this VM', 30);
  const drained: (number | undefined)[] = [];
  void later.obeyedBy({
    stopped: Promise.resolve(),
    drain: async (seconds) => void drained.push(seconds),
    handOver: async () => undefined,
    stopNow: async () => undefined,
  });
  later.close();
  expect(drained).toEqual([30]);
  tell('SIGUSR1');
  expect(asked).toEqual([]);
});
