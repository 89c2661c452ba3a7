/** Small parts of the command line: settings, texts, ids. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { relativeDataProblems } from '../../activities/check-config.ts';
import { withDashedWords } from '../../client/cli/dashed-words.ts';
import { withAbsoluteData } from '../../client/cli/data-path.ts';
import { durationText, metricsText, numberText, plain, positionText, timeText } from '../../client/cli/format.ts';
import { patched, patchOf } from '../../client/cli/set-option.ts';
import { tableText } from '../../client/cli/table.ts';
import { newRunId } from '../../client/run-ids.ts';
import { visibilityQuery } from '../../client/run-query.ts';
import { name } from '../../contracts/names.ts';
import { sizeText } from '../../contracts/size-text.ts';

it.each([
  ['ls digits -state:failed --limit 5', 'ls digits --where=-state:failed --limit 5'],
  ['ls -lr0 > 0.1 tiny', 'ls --where=-lr0 > 0.1 tiny'],
  ['ls --where -tiny --sort -best --json', 'ls --where=-tiny --sort=-best --json'],
  ['ls lr0 > -0.5 -h', 'ls lr0 > -0.5 -h'],
  ['ls -- -tiny', 'ls -- -tiny'],
  ['cp -x y', 'cp -x y'],
])('words with a minus are values, where those may be: %s', (given, taken) => {
  expect(withDashedWords(given.split(' ')).join(' ')).toBe(taken);
});

describe('data', () => {
  it('is made absolute from where the command is given; a name and an absolute path stay', async () => {
    const here = await mkdtemp(join(tmpdir(), 'epochal-data-'));
    try {
      await mkdir(join(here, 'shapes', 'small'), { recursive: true });
      const made = async (data: unknown) => (await withAbsoluteData({ data, epochs: 1 }, here)).data;
      expect(await made('shapes')).toBe(join(here, 'shapes'));
      expect(await made('./shapes/small/')).toBe(join(here, 'shapes', 'small'));
      await writeFile(join(here, 'shapes.tar'), '');
      await writeFile(join(here, 'mnist'), '');
      expect(await made('shapes.tar')).toBe(join(here, 'shapes.tar'));
      for (const data of ['/data/shapes', '~/shapes', 'mnist', '', null, 7]) expect(await made(data)).toBe(data);
      expect(await withAbsoluteData({ epochs: 1 }, here)).toEqual({ epochs: 1 });
      await expect(made('shapes/large')).rejects.toThrow(
        `data is "shapes/large": must be an absolute path on the workers, or a folder or archive below ${here}, and there is no ${join(here, 'shapes', 'large')}`,
      );
    } finally {
      await rm(here, { recursive: true });
    }
  });

  it('is refused by a worker where it is relative: nobody knows where that starts', () => {
    const reads = { datasets: [{ kind: 'coco', description: 'a folder' }] };
    for (const data of ['/data/shapes', '~/shapes', 'mnist', undefined])
      expect(relativeDataProblems(data === undefined ? {} : { data }, reads)).toEqual([]);
    const wrong = { field: 'data', value: '"data/shapes"', message: 'must be an absolute path on the worker' };
    expect(relativeDataProblems({ data: 'data/shapes' }, reads)).toEqual([wrong]);
    expect(relativeDataProblems({ data: 'data/shapes' }, { datasets: [] })).toEqual([]);
  });
});

describe('--set', () => {
  it('makes nested fields, values as YAML, the last one wins', () => {
    expect(
      patchOf(['epochs=3', 'parameters.lr=1e-3', 'parameters.layers=[1, 2]', 'project=demo', 'epochs=4', 'data=']),
    ).toEqual({
      epochs: 4,
      parameters: { lr: 0.001, layers: [1, 2] },
      project: 'demo',
      data: null,
    });
    expect(patchOf(['data=/a=b'])).toEqual({ data: '/a=b' });
    expect(patchOf(['a=1', 'a.b=2'])).toEqual({ a: { b: 2 } });
  });

  it.each([
    ['epochs', '--set is "epochs": must be field=value, e.g. parameters.batch_size=32'],
    ['=3', '--set is "=3": must be field=value, e.g. parameters.batch_size=32'],
    ['a..b=3', '--set is "a..b=3": "a..b" is not a field, e.g. parameters.batch_size'],
    [
      '__proto__.polluted=1',
      '--set is "__proto__.polluted=1": "__proto__.polluted" is not a field, e.g. parameters.batch_size',
    ],
    ['a=[1', 'the value of --set a cannot be read as YAML in line 1, column 3: Flow sequence must end with a ]'],
  ])('refuses %s', (setting, message) => {
    expect(() => patchOf([setting])).toThrow(message);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('lies over a configuration', () => {
    const config = { epochs: 3, parameters: { a: 1, b: 2 }, data: '/x' };
    expect(patched(config, { parameters: { b: null, c: [1] }, data: null, seed: 1 })).toEqual({
      epochs: 3,
      seed: 1,
      parameters: { a: 1, c: [1] },
    });
    expect(config.parameters).toEqual({ a: 1, b: 2 });
    expect(patched([1], {})).toEqual([1]);
    expect(patched(null, { epochs: 1 })).toEqual({ epochs: 1 });
  });
});

describe('texts', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1, '1 byte'],
    [1023, '1023 bytes'],
    [1024, '1.0 KiB'],
    [10_200, '10 KiB'],
    [1_048_000, '1023 KiB'],
    [1_048_300, '1.0 MiB'],
    [5_600_000_000, '5.2 GiB'],
  ])('%d bytes are %s', (bytes, text) => expect(sizeText(bytes)).toBe(text));

  it.each([
    [0.04, '0.0 s'],
    [9.9, '9.9 s'],
    [59.4, '59 s'],
    [61, '1 min 1 s'],
    [7300, '2 h 1 min'],
    [200_000, '2 d 7 h'],
  ])('%d seconds are %s', (seconds, text) => expect(durationText(seconds)).toBe(text));

  it('numbers and metrics are short', () => {
    expect([0.123456, 1e-9, 12, 1234567.8].map(numberText)).toEqual(['0.1235', '1e-9', '12', '1235000']);
    expect(metricsText(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`m${i}`, i])))).toMatch(
      /^m0 0, .*m7 7, and 2 more$/,
    );
    expect(positionText({ epoch: 3, batch: 0 })).toBe('epoch 3');
    expect(positionText({ epoch: 3, batch: 20 })).toBe('epoch 3 and 20 batches');
  });

  it('of a trainer cannot move the cursor or forge a line', () => {
    expect(plain('loss\u001b[2J\r\nepochal: all is well\u202e')).toBe('loss [2J epochal: all is well');
    expect(tableText(['a'], [['x\ny']])).not.toContain('x\ny');
  });

  describe('in another zone', () => {
    afterEach(() => vi.unstubAllEnvs());
    it('times are local', () => {
      vi.stubEnv('TZ', 'America/New_York');
      expect(timeText('2026-01-31T12:00:05.000Z')).toBe('2026-01-31 07:00:05');
    });
  });
});

describe('run ids', () => {
  it('are readable, allowed, and differ', () => {
    const at = new Date(2026, 0, 31, 9, 5, 7);
    expect(newRunId('digits', at)).toMatch(/^digits-20260131-090507-[0-9a-f]{4}$/);
    expect(name.safeParse(newRunId('x'.repeat(100))).success).toBe(true);
    expect(new Set(Array.from({ length: 50 }, () => newRunId('a', at))).size).toBeGreaterThan(40);
  });
});

describe('visibility queries', () => {
  it('quote what they are given', () => {
    expect(visibilityQuery({ project: `x' OR '1'='1`, trainer: 'a\\' })).toBe(
      `WorkflowType = 'trainingRun' AND ExecutionStatus != 'ContinuedAsNew' AND EpochalTrainer = 'a\\\\' AND EpochalProject = 'x\\' OR \\'1\\'=\\'1'`,
    );
    expect(visibilityQuery({ state: 'training' })).toContain(
      `EpochalState = 'training' AND ExecutionStatus = 'Running'`,
    );
  });
});
