import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { deadline } from '../../worker/deadline.ts';
import { until } from '../support/until.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('a deadline', () => {
  it('fires, however often the garbage is collected before', async () => {
    const limit = deadline(300, new AbortController().signal);
    await until('the deadline has passed', () => {
      collectGarbage();
      return limit.aborted;
    });
    expect(limit.reason).toMatchObject({ name: 'TimeoutError' });
  });

  it('follows the signal that it was given, with its reason', () => {
    const controller = new AbortController();
    const limit = deadline(60_000, controller.signal);
    expect(limit.aborted).toBe(false);
    controller.abort('cancelled');
    expect(limit.reason).toBe('cancelled');
    expect(deadline(60_000, controller.signal).reason).toBe('cancelled');
  });

  it('of half a year does not fire at once', async () => {
    const limit = deadline(183 * 24 * 3600 * 1000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(limit.aborted).toBe(false);
  });
});
