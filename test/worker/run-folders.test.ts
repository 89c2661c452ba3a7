/** What of a run folder matters to its host alone. */
import { describe, expect, it } from 'vitest';
import { isBookkeeping } from '../../worker/run-folders.ts';

describe('bookkeeping, which is never published,', () => {
  it.each(['lock', 'session.json', 'start/weights.json', 'run.json.1a2b.tmp', 'ranks-x_1/rank-1.json'])(
    'is %s',
    (path) => expect(isBookkeeping(path)).toBe(true),
  );
  it.each(['run.json', 'logs/trainer.log', 'artifacts/ranks-x/rank-1.json', 'ranks-1.json', 'artifacts/lock'])(
    'is not %s',
    (path) => expect(isBookkeeping(path)).toBe(false),
  );
});
