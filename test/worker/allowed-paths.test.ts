/** Which values of a configuration are paths, and which of them a host takes. */
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { trainerManifestSchema } from '../../contracts/trainer-manifest.ts';
import { AllowedPaths } from '../../worker/allowed-paths.ts';
import { pathParameters } from '../../worker/path-parameters.ts';

const path = { type: 'string', format: 'path' };
const manifest = trainerManifestSchema.parse({
  protocol: 1,
  name: 'one',
  title: 'One',
  description: '',
  parameters: { properties: { weights: path } },
  datasets: [{ kind: 'folder', description: '' }],
  metrics: [],
  best: { metric: 'loss', mode: 'min' },
  canShrinkBatch: false,
});

describe('paths among the parameters', () => {
  it('are those that the schema says, wherever they are, and no default of the trainer', () => {
    const schema = {
      $defs: { Part: { properties: { file: { type: 'string', format: 'file-path' }, name: { type: 'string' } } } },
      properties: {
        name: { type: 'string' },
        weights: { anyOf: [{ type: 'string', format: 'path' }, { type: 'null' }], default: null },
        nullable: { anyOf: [{ type: 'string' }, { type: 'null' }], format: 'path' },
        own: { ...path, default: '/opt/own' },
        many: { type: 'array', items: path },
        pair: { prefixItems: [{ type: 'string' }, path] },
        part: { $ref: '#/$defs/Part' },
        parts: { additionalProperties: { allOf: [{ $ref: '#/$defs/Part' }] } },
        folder: { type: 'string', format: 'directory-path' },
        link: { type: 'string', format: 'uri' },
      },
    };
    const values = {
      ...{ name: '/a', weights: '/b', nullable: '/c', own: '/opt/own', many: ['/d', 5], pair: ['/x', '/e'] },
      ...{ part: { file: '/f', name: '/x' }, parts: { x: { file: '/g' } }, folder: '/h', link: '/i', unknown: '/j' },
    };
    const found = Object.fromEntries(pathParameters(schema, values).map(({ field, value }) => [field, value]));
    expect(found).toEqual({
      'parameters.weights': '/b',
      'parameters.nullable': '/c',
      'parameters.many[0]': '/d',
      'parameters.pair[1]': '/e',
      'parameters.part.file': '/f',
      'parameters.parts.x.file': '/g',
      'parameters.folder': '/h',
    });
    expect(pathParameters(schema, { ...values, own: '/opt/other' })).toContainEqual({
      field: 'parameters.own',
      value: '/opt/other',
    });
  });

  it('end in a schema that refers to itself', () => {
    const schema = { $defs: { A: { $ref: '#/$defs/A' } }, properties: { a: { $ref: '#/$defs/A' } } };
    expect(pathParameters(schema, { a: '/x' })).toEqual([]);
  });
});

describe('allowed paths', () => {
  let folder: string;
  let root: string;
  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'epochal-allowed-')));
    root = join(folder, 'root');
    await mkdir(join(root, 'inside'), { recursive: true });
    await mkdir(join(folder, 'outside'));
    await mkdir(join(folder, 'root-beside'));
    await writeFile(join(folder, 'outside', 'secret'), 'x');
    await symlink(join(folder, 'outside'), join(root, 'out'));
    await symlink('../outside/not-yet', join(root, 'dangling'));
    await symlink('inside', join(root, 'within'));
    await symlink('circle', join(root, 'circle'));
    await symlink(root, join(folder, 'alias'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const asked = async (config: object, roots: string[] | null = [root]) => {
    const whole = runConfigSchema.parse({ trainer: 'one', epochs: 1, ...config });
    const allowed = new AllowedPaths(roots, join(folder, 'started'));
    return (await allowed.problems(whole, manifest, join(root, 'trainers', 'one.py'))).map(({ field }) => field);
  };

  it.each([
    ['the folder itself', () => root],
    ['what is in it', () => join(root, 'inside')],
    ['what is not there yet', () => join(root, 'new', 'deep')],
    ['a link that stays inside', () => join(root, 'within', 'x')],
    ['another way to it', () => join(folder, 'alias', 'inside')],
    ['dots that stay inside', () => `${root}/inside/../inside`],
    ['a name of the trainer', () => 'digits'],
    ['a name with a scheme', () => 'hub:nvidia/mit-b0'],
  ])('take %s', async (_, value) => {
    expect(await asked({ data: value(), parameters: { weights: value() } })).toEqual([]);
  });

  it.each([
    ['a file beside', () => join(folder, 'outside', 'secret')],
    ['a name that only begins like it', () => join(folder, 'root-beside')],
    ['the folder above', () => folder],
    ['dots', () => `${root}/../outside`],
    ['relative dots', () => '../../outside'],
    ['relative dots that lead out of their base, and inside again', () => 'x/../../root/inside'],
    ['a link that leads out', () => join(root, 'out', 'secret')],
    ['a link that leads out to nothing yet', () => join(root, 'dangling')],
    ['a circle of links', () => join(root, 'circle')],
    ['a home folder', () => '~/x'],
    ['that of someone else', () => '~root/x'],
    ['a path with NUL', () => `${root}/a\0b`],
    ['a name that is too long', () => `/${'x'.repeat(4000)}`],
  ])('refuse %s', async (_, value) => {
    expect(await asked({ data: value(), parameters: { weights: value() } })).toEqual(['parameters.weights', 'data']);
  });

  it('refuse stores and output folders by path and by address', async () => {
    const outside = join(folder, 'outside');
    const refused = ['store', 'continueFrom.outputFolder'];
    for (const place of [outside, `file://${outside}`, `file://${root}/%2e%2e/outside`])
      expect(await asked({ store: place, continueFrom: { outputFolder: place } })).toEqual(refused);
    expect(await asked({ store: `file://${root}/new`, continueFrom: { outputFolder: root } })).toEqual([]);
  });

  it.each([
    ['s3://bucket/team', []],
    ['S3://bucket/team/', []],
    ['s3://bucket/team/more', []],
    ['s3://all/x', []],
    ['s3://bucket/teams', ['store', 'continueFrom.outputFolder']],
    ['s3://bucket/other', ['store', 'continueFrom.outputFolder']],
    ['s3://all-of-them/x', ['store', 'continueFrom.outputFolder']],
    ['teamfiles:/team/x', []],
    ['teamfiles:/teams', ['store', 'continueFrom.outputFolder']],
    // Nobody opens it: whoever would, says what is wrong with it.
    ['s3://bucket/team/../other', []],
  ])('hold for stores elsewhere by their addresses: %s', async (address, refused) => {
    const config = runConfigSchema.parse({
      trainer: 'one',
      epochs: 1,
      store: address,
      continueFrom: { outputFolder: address },
    });
    const problems = async (stores: string[] | null) =>
      (await new AllowedPaths([root], folder, stores).problems(config, manifest, '/t/one.py')).map(
        ({ field }) => field,
      );
    expect(await problems(['s3://bucket/team', 's3://all/', 'teamfiles:/team'])).toEqual(refused);
    expect(await problems(null)).toEqual([]);
  });

  it('are all, where the worker says so', async () => {
    expect(await asked({ data: '/etc', store: '/x', parameters: { weights: homedir() } }, null)).toEqual([]);
  });

  it('name the field, the value and what is allowed', async () => {
    const config = runConfigSchema.parse({ trainer: 'one', epochs: 1, data: '/etc' });
    expect(await new AllowedPaths(['/a', '/b']).problems(config, manifest, '/t/one.py')).toEqual([
      { field: 'data', value: '"/etc"', message: 'must be inside /a, /b (EPOCHAL_ALLOWED_PATHS of the worker)' },
    ]);
  });
});
