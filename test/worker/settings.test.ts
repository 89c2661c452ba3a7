/** Settings of a worker: what is refused, and in which words. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { connect } from '../../client/connect.ts';
import { dataFolder } from '../../contracts/folders.ts';
import { makeWritable } from '../../worker/machine-folders.ts';
import { readSettings } from '../../worker/settings.ts';

afterEach(() => vi.unstubAllEnvs());

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

it('allows no store elsewhere but its own, or those that are said', () => {
  const allowed = (env: NodeJS.ProcessEnv) => readSettings({ EPOCHAL_DATA_DIR: '/data', ...env }).allowedStores;
  expect(allowed({})).toEqual([]);
  expect(allowed({ EPOCHAL_ALLOWED_PATHS: '*' })).toEqual([]);
  expect(allowed({ EPOCHAL_STORE: 's3://bucket/team/' })).toEqual(['s3://bucket/team']);
  expect(allowed({ EPOCHAL_STORE: '/store', EPOCHAL_ALLOWED_STORES: 's3://a, s3://b/x' })).toEqual([
    's3://a',
    's3://b/x',
  ]);
  expect(allowed({ EPOCHAL_STORE: 'teamfiles:/results/', EPOCHAL_ALLOWED_STORES: 'teamfiles:/a b' })).toEqual([
    'teamfiles:/a b',
    'teamfiles:/results',
  ]);
  expect(allowed({ EPOCHAL_ALLOWED_STORES: 'teamfiles:/' })).toEqual(['teamfiles:/']);
  expect(allowed({ EPOCHAL_ALLOWED_STORES: '*' })).toBeNull();
});

it.each([
  [{}, null],
  [{ EPOCHAL_METRICS_ADDRESS: '9464' }, { host: '127.0.0.1', port: 9464 }],
  [{ EPOCHAL_METRICS_ADDRESS: '0.0.0.0:1' }, { host: '0.0.0.0', port: 1 }],
  [{ EPOCHAL_METRICS_ADDRESS: '[::]:0' }, { host: '::', port: 0 }],
])('with %j its metrics are at %j', (env, address) => {
  expect(readSettings({ EPOCHAL_DATA_DIR: '/data', ...env }).metricsAddress).toEqual(address);
});

it.each(['none', 'https://s3.example.org'])('takes links to files from %s', (address) => {
  for (const provider of ['', '_AZURE', '_GCS'])
    expect(readSettings({ EPOCHAL_DATA_DIR: '/data', [`EPOCHAL_LINK_ENDPOINT${provider}`]: address })).toBeTruthy();
});

it.each([
  [
    { EPOCHAL_STORE: 's3://bucket' },
    'EPOCHAL_STORE is "s3://bucket": must be the address of a store: it names no prefix',
  ],
  [{ EPOCHAL_ALLOWED_STORES: '/mnt' }, 'EPOCHAL_ALLOWED_STORES is "/mnt": must be addresses of stores'],
  [{ EPOCHAL_ALLOWED_STORES: 's3://a,*' }, 'EPOCHAL_ALLOWED_STORES is "s3://a,*": must be addresses of stores'],
  [{ EPOCHAL_ALLOWED_STORES: 'teamfiles:a' }, 'EPOCHAL_ALLOWED_STORES is "teamfiles:a": must be addresses of stores'],
  [{ EPOCHAL_LINK_ENDPOINT: 'off' }, 'EPOCHAL_LINK_ENDPOINT is "off": must be an http: or https: address, or none'],
  [{ EPOCHAL_METRICS_ADDRESS: 'here' }, 'EPOCHAL_METRICS_ADDRESS is "here": must be a port, such as 9464'],
  [{ EPOCHAL_LINK_ENDPOINT_AZURE: 'x' }, 'EPOCHAL_LINK_ENDPOINT_AZURE is "x": must be an http: or https: address'],
  [{ EPOCHAL_SLOTS: 'many' }, 'EPOCHAL_SLOTS is "many": must be a number'],
  [{ EPOCHAL_SLOTS: '-1' }, 'EPOCHAL_SLOTS is "-1": must be at least 1'],
  [{ EPOCHAL_SLOTS: '1.5' }, 'EPOCHAL_SLOTS is "1.5": must be a whole number'],
  [{ EPOCHAL_UPKEEP_SECONDS: '1e9' }, 'EPOCHAL_UPKEEP_SECONDS is "1e9": must be at most 86400'],
  [
    { EPOCHAL_ALLOWED_PATHS: '/a:b' },
    'EPOCHAL_ALLOWED_PATHS is "/a:b": must be absolute paths of folders, separated by',
  ],
  [
    { EPOCHAL_DATA_DIR: 'here' },
    'EPOCHAL_DATA_DIR is "here": must be the absolute path of a folder that this user can write, or that can be made',
  ],
  [{ SLY_APP_DATA_DIR: './a' }, 'SLY_APP_DATA_DIR is "./a": must be the absolute path of a folder'],
  [{ EPOCHAL_CACHE_DIR: ' ' }, 'EPOCHAL_CACHE_DIR is " ": must be the absolute path of a folder'],
  [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL is "loud": must be "trace", "debug", .* or "silent"$/],
  [{ EPOCHAL_POOL: '../x' }, /^EPOCHAL_POOL is "\.\.\/x": must consist of letters, /],
  [{ EPOCHAL_POOL: 'a b', EPOCHAL_SLOTS: '0' }, /^EPOCHAL_POOL is .*; EPOCHAL_SLOTS is "0": must be at least 1$/],
])('%j is refused by its name', (env, told) => {
  expect(() => readSettings(env)).toThrow(told);
});

it('says of a folder that cannot be used which variable names it, and why', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-settings-'));
  try {
    const file = join(folder, 'file');
    await writeFile(file, '');
    vi.stubEnv('EPOCHAL_DATA_DIR', file);
    vi.stubEnv('EPOCHAL_CACHE_DIR', join(file, 'inside'));
    const text = (variable: string, value: string) =>
      `${variable} is "${value}": must be the absolute path of a folder that this user can write, or that can be made; it`;
    await expect(makeWritable(file)).rejects.toThrow(`${text('EPOCHAL_DATA_DIR', file)} is a file`);
    await expect(makeWritable(join(file, 'inside'))).rejects.toThrow(text('EPOCHAL_CACHE_DIR', join(file, 'inside')));
    await expect(makeWritable(join(file, 'other'))).rejects.toThrow(
      /^the folder .* EPOCHAL_DATA_DIR and EPOCHAL_CACHE/,
    );
    await makeWritable(join(folder, 'a', 'b'));
    expect(await readdir(join(folder, 'a'))).toEqual(['b']);
    if (process.platform === 'linux')
      await expect(makeWritable('/proc/epochal/data')).rejects.toThrow(/no folder can be made there/);
    vi.stubEnv('TEMPORAL_CONFIG_FILE', join(folder, 'none.toml'));
    const { TEMPORAL_ADDRESS: _, ...env } = process.env;
    await expect(connect(env)).rejects.toThrow(`${text('EPOCHAL_DATA_DIR', file)}, or a part of it, is a file`);
    await expect(connect({ ...env, EPOCHAL_DATA_DIR: 'here' })).rejects.toThrow(/^EPOCHAL_DATA_DIR is "here": must be/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('ignores a relative folder of XDG, as its specification says', () => {
  expect(dataFolder({ env: { XDG_DATA_HOME: 'x' }, platform: 'linux', home: '/me' })).toBe('/me/.local/share/epochal');
});
