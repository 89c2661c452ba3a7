/** Bad configurations, and exactly what a person is told of each. */
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../client/errors.ts';
import { parseConfig, parseDraft, parsed, parseName, parseYaml } from '../../client/parse-config.ts';
import { fieldPath, mostProblems, problemsOf, shownValue } from '../../contracts/config-problems.ts';
import { problemSentence } from '../../contracts/failure.ts';
import { draftConfigSchema, runConfigSchema } from '../../contracts/run-config.ts';
import { configureSchema, stopRequestSchema } from '../../contracts/run-messages.ts';
import { readConfig } from '../../server/written-config.ts';

const good = { trainer: 'digits', epochs: 3 };
const nameRule =
  'must consist of letters, digits, ".", "_" and "-", starting with a letter or digit, at most 100 characters, no ".."';

const sentences = (input: unknown): string[] => {
  const { error } = runConfigSchema.safeParse(input);
  return error ? problemsOf(error, input).map(problemSentence) : [];
};

/** What is wrong with a good configuration that is changed like this. */
const cases: [what: string, change: object, ...told: string[]][] = [
  ['epochs 0', { epochs: 0 }, 'epochs is 0: must be at least 1'],
  ['negative epochs', { epochs: -3 }, 'epochs is -3: must be at least 1'],
  ['half an epoch', { epochs: 2.5 }, 'epochs is 2.5: must be a whole number'],
  ['too many epochs', { epochs: 1e9 }, 'epochs is 1000000000: must be at most 1000000'],
  ['absurdly many epochs', { epochs: 1e300 }, 'epochs is 1e+300: must be at most 1000000'],
  ['epochs as text', { epochs: 'ten' }, 'epochs is "ten": must be a whole number'],
  ['epochs not a number', { epochs: Number.NaN }, 'epochs is NaN: must be a whole number'],
  ['endless epochs', { epochs: Number.POSITIVE_INFINITY }, 'epochs is Infinity: must be a whole number'],
  ['epochs null', { epochs: null }, 'epochs is null: must be a whole number'],
  ['epochs missing', { epochs: undefined }, 'epochs is missing: must be a whole number'],
  ['trainer missing', { trainer: undefined }, 'trainer is missing: must be text'],
  ['trainer a number', { trainer: 7 }, 'trainer is 7: must be text'],
  ['trainer empty', { trainer: '' }, `trainer is "": ${nameRule}`],
  ['trainer that leaves its folder', { trainer: '../digits' }, `trainer is "../digits": ${nameRule}`],
  ['trainer with an absolute path', { trainer: '/bin/sh' }, `trainer is "/bin/sh": ${nameRule}`],
  ['a run id with two dots', { run: 'a..b' }, `run is "a..b": ${nameRule}`],
  ['a run id that is hidden', { run: '.hidden' }, `run is ".hidden": ${nameRule}`],
  ['a run id that ends with a dot', { run: 'a.' }, `run is "a.": ${nameRule}`],
  ['a run id with NUL', { run: 'a\0b' }, `run is "a\\u0000b": ${nameRule}`],
  ['a run id with a line break', { run: 'a\n' }, `run is "a\\n": ${nameRule}`],
  ['a run id of 10 kB', { run: 'x'.repeat(10_000) }, `run is "${'x'.repeat(77)}…": ${nameRule}`],
  ['a run id that turns the text around', { run: 'a\u202egpj' }, `run is "a\\u202egpj": ${nameRule}`],
  ['a project with a slash', { project: 'a/b' }, `project is "a/b": ${nameRule}`],
  ['a pool with a space', { pool: 'my gpu' }, `pool is "my gpu": ${nameRule}`],
  [
    'an unknown field with a neighbour',
    { epochs: undefined, epochz: 3 },
    'epochz is 3: unknown field; did you mean epochs?',
  ],
  ['a field with a swap', { trainer: undefined, tariner: 'x' }, 'tariner is "x": unknown field; did you mean trainer?'],
  [
    'a misspelt field, which is not missing besides',
    { trainer: undefined, trainr: 'x' },
    'trainr is "x": unknown field; did you mean trainer?',
  ],
  [
    'an unknown field that only ends like another',
    { deadlines: { startSeconds: 1 } },
    'deadlines.startSeconds is 1: unknown field; known fields are setUpSeconds, stopSeconds, terminateSeconds, finishSeconds, publishSeconds, heartbeatSeconds, reattachSeconds, hangFloorSeconds, hangCeilingSeconds',
  ],
  [
    'an unknown field like no other',
    { gpus: 2 },
    'gpus is 2: unknown field; known fields are run, project, trainer, epochs, parameters, data, seed, pool, priority, fairnessKey, store, code, image, limits, storeIdentity, continueFrom, trackers, checkpoints, failures, deadlines',
  ],
  [
    'an unknown field within another',
    { checkpoints: { lasst: 2 } },
    'checkpoints.lasst is 2: unknown field; did you mean last?',
  ],
  [
    'best of neither kind',
    { checkpoints: { best: { metric: 'loss', mode: 'maxx' } } },
    'checkpoints.best.mode is "maxx": must be "min" or "max"',
  ],
  [
    'best without a metric',
    { checkpoints: { best: { mode: 'min' } } },
    'checkpoints.best.metric is missing: must be text',
  ],
  [
    'best of no metric',
    { checkpoints: { best: { metric: '', mode: 'min' } } },
    'checkpoints.best.metric is "": must not be empty',
  ],
  ['keep no last checkpoint', { checkpoints: { last: 0 } }, 'checkpoints.last is 0: must be at least 1'],
  ['keep every -1st', { checkpoints: { everyEpochs: -1 } }, 'checkpoints.everyEpochs is -1: must be at least 0'],
  ['checkpoints as a list', { checkpoints: [] }, 'checkpoints is []: must be a mapping of fields to values'],
  ['parameters as a list', { parameters: [1] }, 'parameters is [1]: must be a mapping of names to values'],
  ['parameters null', { parameters: null }, 'parameters is null: must be a mapping of names to values'],
  [
    'parameters as long as a file',
    { parameters: { names: 'x'.repeat(60_000) } },
    `parameters is ${JSON.stringify({ names: 'x'.repeat(100) }).slice(0, 79)}…: must have at most 50000 characters as JSON; put anything larger into a file`,
  ],
  ['data as a number', { data: 5 }, 'data is 5: must be text'],
  ['data empty', { data: '' }, 'data is "": must not be empty'],
  ['a negative seed', { seed: -1 }, 'seed is -1: must be at least 0'],
  ['a priority out of range', { priority: 9 }, 'priority is 9: must be at most 5'],
  [
    'a fairness key too long',
    { fairnessKey: 'k'.repeat(65) },
    `fairnessKey is "${'k'.repeat(65)}": must have at most 64 characters`,
  ],
  [
    'a fairness key of few letters with many bytes',
    { fairnessKey: 'é'.repeat(33) },
    `fairnessKey is "${'é'.repeat(33)}": must be plain text of at most 64 bytes; letters beyond ASCII have more than one`,
  ],
  [
    'a store address too long',
    { store: '/x'.repeat(3000) },
    `store is "${'/x'.repeat(38)}/…": must have at most 2000 bytes`,
  ],
  ['restarts as true', { failures: { restarts: true } }, 'failures.restarts is true: must be a whole number'],
  [
    'an unknown answer to out of memory',
    { failures: { onOutOfMemory: 'pray' } },
    'failures.onOutOfMemory is "pray": must be "smallerBatch" or "fail"',
  ],
  ['a deadline as text', { deadlines: { stopSeconds: '5s' } }, 'deadlines.stopSeconds is "5s": must be a number'],
  ['a deadline of zero', { deadlines: { stopSeconds: 0 } }, 'deadlines.stopSeconds is 0: must be at least 0.1'],
  [
    'continue from a number',
    { continueFrom: { outputFolder: '/x', checkpoint: 5 } },
    'continueFrom.checkpoint is 5: must be "best", "last" or text',
  ],
  [
    'continue from outside',
    { continueFrom: { outputFolder: '/x', checkpoint: '../y' } },
    `continueFrom.checkpoint is "../y": ${nameRule}`,
  ],
  ['continue from nowhere', { continueFrom: {} }, 'continueFrom is {}: must have either run or outputFolder'],
  [
    'continue from two',
    { continueFrom: { run: 'a', outputFolder: '/x' } },
    'continueFrom is {"run":"a","outputFolder":"/x"}: must have either run or outputFolder',
  ],
  [
    'several at once',
    { epochs: 0, epochz: 1, seed: 1.5 },
    'epochs is 0: must be at least 1',
    'seed is 1.5: must be a whole number',
    'epochz is 1: unknown field; did you mean epochs?',
  ],
];

describe('a bad configuration', () => {
  it.each(cases)('%s', (_, change, ...told) => {
    expect(sentences({ ...good, ...change })).toEqual(told);
  });

  it.each([
    [[], 'the configuration is []: must be a mapping of fields to values'],
    [null, 'the configuration is null: must be a mapping of fields to values'],
    ['trainer: digits', 'the configuration is "trainer: digits": must be a mapping of fields to values'],
    [undefined, 'the configuration is missing: must be a mapping of fields to values'],
  ])('%j is none at all', (input, told) => {
    expect(sentences(input)).toEqual([told]);
  });

  it('with a prototype in it is refused, and pollutes nothing', () => {
    const input: unknown = JSON.parse('{"__proto__": {"epochs": 1}, "trainer": "digits", "epochs": 1}');
    expect(sentences(input)[0]).toMatch(/^__proto__ is \{"epochs":1\}: unknown field; /);
    expect(({} as Record<string, unknown>).epochs).toBeUndefined();
  });

  it('holds for drafts and updates as well', () => {
    const tell = (error: unknown) => (error as ConfigError).message;
    const thrown = (work: () => unknown) => {
      try {
        work();
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        return tell(error);
      }
      return expect.fail('nothing was thrown');
    };
    expect(thrown(() => parseDraft({ epochs: 0 }))).toBe('epochs is 0: must be at least 1');
    expect(parseDraft({ trainer: 'digits' })).toEqual({ trainer: 'digits' });
    expect(thrown(() => parsed(stopRequestSchema, { mode: 'soon' }))).toBe(
      'mode is "soon": must be "batch", "epoch" or "now"',
    );
    expect(thrown(() => parsed(configureSchema, { epochs: () => 1 }))).toMatch(
      /^epochs is a function: must be text, a number, true or false, /,
    );
    expect(thrown(() => parseName('host', '../x'))).toBe(`host is "../x": ${nameRule}`);
    expect(thrown(() => parseConfig({ ...good, trainer: undefined }))).toBe('trainer is missing: must be text');
    expect(draftConfigSchema.safeParse({ epochz: 1 }).error?.issues).toHaveLength(1);
  });

  it('is told with the fields as they are written', () => {
    expect(fieldPath(['parameters', 'layers', 2, 'size'])).toBe('parameters.layers[2].size');
    expect(fieldPath(['parameters', 'a b'])).toBe('parameters."a b"');
    expect(shownValue({ a: 1n })).toBe('something that is not JSON');
  });
});

const tooLarge = (what: string) =>
  new RegExp(`^run\\.yaml cannot be read as YAML: it is too large for a configuration: at most ${what}`);
const names = (count: number) => Array.from({ length: count }, (_, index) => `name${index}: 1`).join(', ');
function mergesOfMerges(depth: number): string {
  const lines = Array.from({ length: depth }, (_, i) => `a${i + 1}: &a${i + 1} {<<: [*a${i}, *a${i}], k${i}: 1}`);
  return ['a0: &a0 {x: 1}', ...lines].join('\n');
}

describe('YAML', () => {
  const message = (text: string) => {
    try {
      return parseYaml(text, 'run.yaml');
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
  };

  it('is read, JSON too', () => {
    expect(message('trainer: digits\nepochs: 3\n')).toEqual(good);
    expect(message('{"trainer": "digits", "epochs": 3}')).toEqual(good);
    expect(message('')).toBeNull();
  });

  it.each([
    ['a: [1', /^run\.yaml cannot be read as YAML in line 1, column 6: Flow sequence/],
    ['a: 1\n b: 2\n', /^run\.yaml cannot be read as YAML in line 1, column 4: Nested mappings are not allowed/],
    ['a: 1\na: 2\n', /^run\.yaml cannot be read as YAML in line 2, column 1: Map keys must be unique/],
    ['a: "x\n', /^run\.yaml cannot be read as YAML in line 2, column 1: Missing closing "quote/],
    ['a: *b\n', /^run\.yaml cannot be read as YAML: Unresolved alias/],
    ['a: &a [*a]\n', /^run\.yaml cannot be read as YAML in line 1, column 8: \*a stands within what it stands for/],
    ['a: 1\n--- b\n', /^run\.yaml cannot be read as YAML in line 2, column 1: it has more than one document/],
    [']'.repeat(200_000), /^run\.yaml cannot be read as YAML in line 1, column 1: Unexpected flow-seq-end/],
    ['x'.repeat(200_001), tooLarge('200000 characters')],
    [`[${','.repeat(100_000)}`, /^run\.yaml cannot be read as YAML in line 1, column 3: a comma follows a comma/],
    [`[${'1,'.repeat(30_000)}]`, tooLarge('25000 values')],
    ['- '.repeat(70), tooLarge('64 mappings and lists within each other')],
    ['['.repeat(100_000), tooLarge('64 mappings and lists within each other')],
    [`a: &a 1\nb: [${'*a, '.repeat(1_001)}]`, tooLarge('1000 aliases')],
    [`a: &a ${'x'.repeat(100_000)}\nb: [${'*a, '.repeat(20)}]`, tooLarge('1000000 characters, with aliases')],
    [`a: &a {${names(1_000)}}\nb: {<<: [${'*a, '.repeat(30)}]}`, tooLarge('25000 values, with aliases and merges')],
    [mergesOfMerges(20), tooLarge('25000 values, with aliases and merges')],
  ])('%.12s is refused with its place', (text, told) => {
    expect(message(text)).toMatch(told);
  });

  it('that multiplies itself without end is refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    expect(message(lines.join('\n'))).toMatch(tooLarge('25000 values, with aliases and merges written out'));
  });

  it('with many keys and problems takes time in proportion to its length', () => {
    // Two lengths, the best of three, in CPU time, which others on the machine take no share of: eight times the keys took 64 times
    // as long when each was compared with all.
    const cpuTime = (keys: number) => {
      const text = `trainer: a\nepochs: 0\n${names(keys).replaceAll(', ', '\n')}`;
      const tries = [1, 2, 3].map(() => {
        const begun = process.cpuUsage();
        const { problems } = readConfig(text);
        expect(problems).toHaveLength(mostProblems + 1);
        return process.cpuUsage(begun).user;
      });
      return Math.min(...tries);
    };
    cpuTime(1_000);
    expect(cpuTime(12_000) / cpuTime(1_500)).toBeLessThan(32);
  });

  it('tells the first problems of many, each with its place, and what is known once', () => {
    const { problems } = readConfig(`trainer: a\nepochs: 1\nzzz: 1\n${names(100).replaceAll(', ', '\n')}`);
    expect(problems[0]).toMatchObject({ field: 'zzz', line: 3, message: expect.stringContaining('known fields are') });
    expect(problems[1]).toMatchObject({ field: 'name0', line: 4, message: 'unknown field; leave it out' });
    expect(problems.at(-1)).toMatchObject({ field: '', message: `only the first ${mostProblems} are shown` });
  });

  it('merges as the language says', () => {
    expect(message('a: &a {x: 1, y: 1}\nb: {<<: [*a, {z: 3}], y: 2}')).toMatchObject({ b: { x: 1, y: 2, z: 3 } });
  });
});
