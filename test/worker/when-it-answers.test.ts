/** What does not answer is asked again, and told of meanwhile. */
import { expect, test } from 'vitest';
import { EngineProblem, whenEngineAnswers } from '../../worker/engine-problem.ts';

const away = new EngineProblem('docker ps: Cannot connect to the Docker daemon', true);

test('an engine that cannot be reached is waited for, and then does what it was asked', async () => {
  const told: string[] = [];
  const { signal } = new AbortController();
  let asked = 0;
  const work = async () => {
    asked += 1;
    if (asked === 1) throw away;
    return 'done';
  };
  expect(await whenEngineAnswers({ signal, onProgress: (doing) => told.push(doing) }, work)).toBe('done');
  expect(told).toEqual(['wait for the container engine: docker ps: Cannot connect to the Docker daemon']);
});

test('nobody waits for one that refuses, nor after the wait was given up', async () => {
  const refused = new EngineProblem('docker run: no such image', false);
  const giving = new AbortController();
  const waiting = { signal: giving.signal, onProgress: () => giving.abort(new Error('given up')) };
  await expect(whenEngineAnswers(waiting, () => Promise.reject(refused))).rejects.toBe(refused);
  await expect(whenEngineAnswers(waiting, () => Promise.reject(away))).rejects.toThrow();
  expect(giving.signal.aborted).toBe(true);
});
