/** Settings of a worker: what is refused, and in which words. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSettings } from '../../worker/settings.ts';

it('has defaults, and takes an empty variable for an unset one', () => {
  const settings = readSettings({ EPOCHAL_DATA_DIR: '/data', EPOCHAL_SLOTS: '', LOG_LEVEL: '' });
  expect(settings).toMatchObject({ dataFolder: '/data', store: '/data/store', pool: 'gpu', slots: null });
});

it('allows the paths of its own folders and of the one it was started in, or those that are said', () => {
  const allowed = (env: NodeJS.ProcessEnv) => readSettings({ EPOCHAL_DATA_DIR: '/data', ...env }).allowedPaths;
  const own = { EPOCHAL_DATA_SETS: '/sets', EPOCHAL_TRAINERS: '/mine', EPOCHAL_STORE: 'file:///kept%20here' };
  expect(allowed(own)).toEqual(['/sets', '/mine', join(process.cwd(), 'trainers'), process.cwd(), '/kept here']);
  expect(allowed({ EPOCHAL_ALLOWED_PATHS: '/a:/b/' })).toEqual(['/a', '/b', '/data/store']);
  expect(allowed({ EPOCHAL_ALLOWED_PATHS: '*' })).toBeNull();
});

it.each([
  [{ EPOCHAL_SLOTS: 'many' }, 'EPOCHAL_SLOTS is "many": must be a number'],
  [{ EPOCHAL_SLOTS: '-1' }, 'EPOCHAL_SLOTS is "-1": must be at least 1'],
  [{ EPOCHAL_SLOTS: '1.5' }, 'EPOCHAL_SLOTS is "1.5": must be a whole number'],
  [{ EPOCHAL_UPKEEP_SECONDS: '1e9' }, 'EPOCHAL_UPKEEP_SECONDS is "1e9": must be at most 86400'],
  [
    { EPOCHAL_ALLOWED_PATHS: '/a:b' },
    'EPOCHAL_ALLOWED_PATHS is "/a:b": must be absolute paths of folders, separated by',
  ],
  [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL is "loud": must be "trace", "debug", .* or "silent"$/],
  [{ EPOCHAL_POOL: '../x' }, /^EPOCHAL_POOL is "\.\.\/x": allowed are letters, /],
  [{ EPOCHAL_POOL: 'a b', EPOCHAL_SLOTS: '0' }, /^EPOCHAL_POOL is .*; EPOCHAL_SLOTS is "0": must be at least 1$/],
])('%j is refused by its name', (env, told) => {
  expect(() => readSettings(env)).toThrow(told);
});
