/** The memory of trainers: however many a host has, it looks through the processes of the machine once for all of them. */
import { createHook } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { groupMemory } from '../../worker/process-groups.ts';

/** Each leads a group of its own. */
const trainers = [1, 2, 3].map(() => spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }));
const groups = trainers.map(({ pid }) => pid ?? 0);

let fileOperations = 0;
const hook = createHook({
  init: (_, type) => {
    if (type === 'FSREQPROMISE' || type === 'FSREQCALLBACK') fileOperations++;
  },
});
beforeAll(() => void hook.enable());
afterAll(() => {
  hook.disable();
  for (const trainer of trainers) trainer.kill('SIGKILL');
});

it.runIf(existsSync('/proc/self/stat'))('is found in one look for all of them', async () => {
  const took: number[] = [];
  for (const group of groups) {
    const before = fileOperations;
    expect(await groupMemory(group)).toBeGreaterThan(10_000);
    took.push(fileOperations - before);
  }
  const [first = 0, ...others] = took;
  expect(first).toBeGreaterThan(30);
  for (const other of others) expect(other).toBeLessThan(20);
  // One that has ended has none, whatever was seen of it.
  const [ended] = trainers;
  const over = new Promise((resolve) => ended?.once('exit', resolve));
  ended?.kill('SIGKILL');
  await over;
  expect(await groupMemory(groups[0] ?? 0)).toBe(0);
});
