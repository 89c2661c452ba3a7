/** The steps by which a host ends a trainer: each only when the one before did not do. */
import { expect, it } from 'vitest';
import { type EndLimits, endTrainer } from '../../worker/end-trainer.ts';

type Step = 'ask' | 'terminate' | 'kill';

/** A trainer that ends by this step. */
function endingBy(last: Step | null) {
  const steps: Step[] = [];
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const step = (name: Step) => () => {
    steps.push(name);
    if (name === last) end();
  };
  const ends = async (limit: AbortSignal) => {
    const aborted = new Promise<void>((resolve) => limit.addEventListener('abort', () => resolve(), { once: true }));
    return Promise.race([ended.then(() => true), aborted.then(() => false)]);
  };
  return { steps, trainer: { ask: step('ask'), terminate: step('terminate'), kill: step('kill'), ends } };
}

it.each<[Step, Partial<EndLimits>, Step[]]>([
  ['ask', {}, ['ask']],
  ['terminate', { stopSeconds: 0.01 }, ['ask', 'terminate']],
  ['kill', { stopSeconds: 0.01, terminateSeconds: 0.01 }, ['ask', 'terminate', 'kill']],
  ['kill', { stopSeconds: 0.01, terminateSeconds: 0 }, ['ask', 'kill']],
])('a trainer that ends by step %s within %o goes through %s', async (last, limits, expected) => {
  const { steps, trainer } = endingBy(last);
  await endTrainer(trainer, { stopSeconds: 60, terminateSeconds: 60, ...limits });
  expect(steps).toEqual(expected);
});

it('whoever gives up waiting goes no step further', async () => {
  const { steps, trainer } = endingBy(null);
  const caller = new AbortController();
  const ending = endTrainer(trainer, { stopSeconds: 60, terminateSeconds: 60 }, caller.signal);
  caller.abort(new Error('given up'));
  await expect(ending).rejects.toThrow('given up');
  expect(steps).toEqual(['ask']);
});
