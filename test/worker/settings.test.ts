/** Settings of a worker: what is refused, and in which words. */
import { expect, it } from 'vitest';
import { readSettings } from '../../worker/settings.ts';

it('has defaults, and takes an empty variable for an unset one', () => {
  const settings = readSettings({ EPOCHAL_DATA_DIR: '/data', EPOCHAL_SLOTS: '', LOG_LEVEL: '' });
  expect(settings).toMatchObject({ dataFolder: '/data', store: '/data/store', pool: 'gpu', slots: null });
});

it.each([
  [{ EPOCHAL_SLOTS: 'many' }, 'EPOCHAL_SLOTS is "many": must be a number'],
  [{ EPOCHAL_SLOTS: '-1' }, 'EPOCHAL_SLOTS is "-1": must be at least 1'],
  [{ EPOCHAL_SLOTS: '1.5' }, 'EPOCHAL_SLOTS is "1.5": must be a whole number'],
  [{ EPOCHAL_UPKEEP_SECONDS: '1e9' }, 'EPOCHAL_UPKEEP_SECONDS is "1e9": must be at most 86400'],
  [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL is "loud": must be "trace", "debug", .* or "silent"$/],
  [{ EPOCHAL_POOL: '../x' }, /^EPOCHAL_POOL is "\.\.\/x": allowed are letters, /],
  [{ EPOCHAL_POOL: 'a b', EPOCHAL_SLOTS: '0' }, /^EPOCHAL_POOL is .*; EPOCHAL_SLOTS is "0": must be at least 1$/],
])('%j is refused by its name', (env, told) => {
  expect(() => readSettings(env)).toThrow(told);
});
