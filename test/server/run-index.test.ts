/** The server's index of runs: it finds and sorts what the language says, and remembers what runs that are over said. */
import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { NoWorkerError } from '../../client/errors.ts';
import { type ListedRun, searchedRun } from '../../client/run-fields.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { matchesSearch, type SearchTerm } from '../../contracts/run-search.ts';
import type { RunSummary } from '../../contracts/run-summary.ts';
import { IndexDatabase, type IndexQuestion } from '../../server/run-index/index-database.ts';
import { detailsOf } from '../../server/run-index/indexed-run.ts';
import { KnownDetails } from '../../server/run-index/known-details.ts';
import { RunIndex } from '../../server/run-index/run-index.ts';
import type { Backend } from '../../server/temporal-link.ts';

let index: IndexDatabase;
beforeEach(() => {
  index = new IndexDatabase();
});
afterEach(() => index.close());

const made = (run: string, parameters: object, metrics: object = {}, summary: Partial<RunSummary> = {}): ListedRun => ({
  summary: {
    run,
    standing: 'completed',
    state: 'stopped',
    detail: 'stopped',
    outcome: 'completed',
    trainer: 'digits',
    project: 'Demo',
    bestMetric: null,
    createdAt: '2030-01-01T00:00:00.000Z',
    startedAt: null,
    closedAt: '2030-01-02T00:00:00.000Z',
    workflowStatus: 'completed',
    ...summary,
  },
  view: {
    metrics,
    config: { epochs: 3, parameters },
    position: { epoch: 2, batch: 0 },
    session: null,
  } as unknown as RunView,
});
const put = (...runs: ListedRun[]) =>
  index.putAll(runs.map(({ summary, view }) => ({ summary, details: view && detailsOf(summary, view) })));
const ask = (question: Partial<IndexQuestion> = {}) =>
  index
    .page({ terms: [], order: null, limit: 100, offset: 0, ...question }, true)
    .runs.map(({ run }) => run)
    .join('');
const by = (field: string, descending = false) => ask({ order: { field, descending } });

const word = fc.constantFrom('a', 'B', 'ab', '0.5', '1', 'sgd', 'Demo');
const value = fc.oneof(word, fc.constantFrom(0.5, 1, -2, 1e-3));
const term: fc.Arbitrary<SearchTerm> = fc
  .oneof(
    fc.record({ kind: fc.constant('word' as const), text: word, negated: fc.boolean() }),
    fc
      .record({
        kind: fc.constant('comparison' as const),
        field: fc.constantFrom(
          'parameters.x',
          'parameters.y.z',
          'metrics.x',
          'state',
          'project',
          'started',
          'metrics.none',
        ),
        operator: fc.constantFrom(
          '=' as const,
          '!=' as const,
          '<' as const,
          '<=' as const,
          '>' as const,
          '>=' as const,
        ),
        value: fc.oneof(word, fc.constantFrom('2030-01', 'stopped', 'DEMO', '-2')),
        negated: fc.boolean(),
      })
      .map((one) => ({ ...one, number: Number.isFinite(Number(one.value)) ? Number(one.value) : null })),
  )
  .map((one) => ({ ...one, place: { start: 0, end: 0 } }));

it('finds what the language says, whatever is searched for', () => {
  const optional = fc.option(value, { nil: undefined });
  const run = fc.record({
    x: optional,
    z: optional,
    metric: fc.option(fc.constantFrom(0.5, 1), { nil: undefined }),
    started: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(run, { minLength: 1, maxLength: 6 }),
      fc.array(term, { minLength: 1, maxLength: 3 }),
      (runs, terms) => {
        const listed = runs.map(({ x, z, metric, started }, at) =>
          made(
            `r${at}`,
            { ...(x === undefined ? {} : { x }), y: z === undefined ? {} : { z } },
            metric === undefined ? {} : { x: metric },
            {
              startedAt: started ? '2030-01-01T10:00:00.000Z' : null,
            },
          ),
        );
        index.removeAll(['r0', 'r1', 'r2', 'r3', 'r4', 'r5']);
        expect(ask()).toBe('');
        put(...listed);
        const expected = listed
          .filter((one) => matchesSearch(searchedRun(one), terms))
          .map(({ summary }) => summary.run);
        expect(ask({ terms }).match(/r\d/g)?.sort() ?? []).toEqual(expected);
      },
    ),
    { numRuns: 80 },
  );
});

describe('a page', () => {
  beforeEach(() => {
    put(
      made('a', { lr: 0.1, opt: 'SGD' }, { loss: 3 }),
      made('b', { lr: 'auto' }, { loss: 1 }, { closedAt: null, workflowStatus: 'running', standing: 'training' }),
      made('c', { lr: 0.01 }, {}, { closedAt: '2030-01-03T00:00:00.000Z' }),
    );
  });

  it('has open runs first, or the order of any field: no value last, numbers before text', () => {
    expect([ask(), by('lr'), by('lr', true), by('metrics.loss'), by('metrics.loss', true), by('run', true)]).toEqual([
      'bca',
      'cab',
      'acb',
      'bac',
      'abc',
      'cba',
    ]);
  });

  it('is one of several, and says of how many', () => {
    const page = index.page({ terms: [], order: { field: 'run', descending: false }, limit: 2, offset: 2 }, true);
    expect([page.runs.map(({ run }) => run), page.total]).toEqual([['c'], 3]);
    expect(ask({ run: 'b' })).toBe('b');
  });

  it('refuses a field that no run has, and a name of two, unless not all is known', () => {
    expect(() => by('nothing')).toThrow('field is "nothing": none of these runs has such a parameter or metric');
    put(made('d', { loss: 'mse' }));
    expect(() => by('loss')).toThrow('must be parameters.loss or metrics.loss');
    expect(
      index.page({ terms: [], order: { field: 'nothing', descending: true }, limit: 9, offset: 0 }, false).total,
    ).toBe(4);
  });

  it('has the values of columns as they were written, and says which fields there are', () => {
    expect(Object.fromEntries(index.values(['a', 'b', 'c'], ['lr', 'opt', 'metrics.loss', 'no']))).toEqual({
      a: { lr: 0.1, opt: 'SGD', 'metrics.loss': 3 },
      b: { lr: 'auto', 'metrics.loss': 1 },
      c: { lr: 0.01 },
    });
    const fields = index.fields(100);
    expect(fields).toContainEqual({ field: 'parameters.lr', runs: 3 });
    expect(fields).toContainEqual({ field: 'metrics.loss', runs: 2 });
    // What a run says no longer is gone, and what it says now is there.
    put(made('a', { other: 7 }));
    expect(Object.fromEntries(index.values(['a'], ['lr', 'other']))).toEqual({ a: { other: 7 } });
  });
});

describe('takes only so much of what runs tell', () => {
  const ofDay = (day: number, parameters: object = { lr: day }) =>
    made('abcdef'[day] ?? '', parameters, {}, { createdAt: `2030-01-0${day + 1}T00:00:00.000Z` });
  const withLr = () => [...index.values(['a', 'b', 'c', 'd'], ['lr']).keys()].sort().join('');
  const limited = (limits: { values: number; characters: number; names: number }) => {
    index.close();
    index = new IndexDatabase(limits);
  };

  it('in all: of the oldest there is what Temporal lists', () => {
    // Three of each: its parameter, its epochs, and how many are trained.
    limited({ values: 10, characters: 100_000, names: 100 });
    put(ofDay(0), ofDay(1), ofDay(2));
    expect([index.isCut, withLr()]).toEqual([false, 'abc']);
    put(ofDay(3));
    expect([index.isCut, withLr(), by('run')]).toEqual([true, 'bcd', 'abcd']);
    const place = { start: 0, end: 0 };
    expect(ask({ terms: [{ kind: 'word', text: 'lr', negated: false, place }] })).toBe('dcb');
    expect(ask({ terms: [{ kind: 'word', text: 'digits', negated: false, place }] })).toBe('dcba');
    // What it lists changes, and what they told stays as it is, or is away.
    for (const day of [0, 1]) index.putAll([{ summary: { ...ofDay(day).summary, project: 'other' } }]);
    expect(Object.fromEntries(index.values(['a', 'b'], ['lr', 'project']))).toEqual({
      a: { project: 'other' },
      b: { lr: 1, project: 'other' },
    });
    expect(ask({ terms: [{ kind: 'word', text: 'lr', negated: false, place }] })).toBe('dcb');
    index.removeAll(['a']);
    expect(index.isCut).toBe(false);
  });

  it('in words, likewise', () => {
    limited({ values: 100, characters: 1_000, names: 100 });
    put(ofDay(0, { lr: 1, notes: 'x'.repeat(600) }), ofDay(1));
    expect([index.isCut, withLr()]).toEqual([false, 'ab']);
    put(ofDay(2, { lr: 1, notes: 'y'.repeat(600) }));
    expect([index.isCut, withLr()]).toEqual([true, 'bc']);
  });

  it('in names of fields, until those that have them are gone', () => {
    limited({ values: 1_000, characters: 100_000, names: 20 });
    const parameters = (prefix: string) =>
      Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`${prefix}${at}`, 'v']));
    put(ofDay(0, parameters('x')));
    expect(index.isCut).toBe(true);
    expect(index.fields(100).length).toBeLessThanOrEqual(20);
    index.removeAll(['a']);
    put(ofDay(1, parameters('y')));
    expect(Object.fromEntries(index.values(['b'], ['y0', 'x0']))).toEqual({ b: { y0: 'v' } });
  });
});

it('what runs said is remembered, whatever else is in the file', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'run-index-')), 'made', 'index.jsonl');
  const details = (text: string) => ({ fields: [['parameters.lr', 0.1]] as [string, number][], text });
  const known = new KnownDetails(file);
  expect((await known.read()).size).toBe(0);
  await known.add([{ run: 'a', version: '1', details: details('old') }]);
  await appendFile(file, '{"run":"b","vers');
  await known.add([
    { run: 'a', version: '2', details: details('new') },
    { run: 'c', version: '1', details: details('c') },
  ]);
  const read = await known.read();
  expect([...read]).toEqual([
    ['a', { version: '2', details: details('new') }],
    ['c', { version: '1', details: details('c') }],
  ]);
  // One that has grown is written anew, with what is still true.
  await writeFile(file, (await readFile(file, 'utf8')).repeat(400));
  expect(await known.read()).toEqual(read);
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(2);
  // Runs that ended one by one are no lines of the past.
  await writeFile(file, '');
  for (let at = 0; at < 3; at++) await known.add([{ run: `r${at}`, version: '1', details: details('x') }]);
  const grown = (await readFile(file, 'utf8')).replace(/"run":"r(\d)"/g, '"run":"r$1-0"');
  const many = Array.from({ length: 400 }, (_, at) => grown.replaceAll('-0"', `-${at}"`)).join('');
  await writeFile(file, many);
  expect((await known.read()).size).toBe(1_200);
  expect(await readFile(file, 'utf8')).toBe(many);
});

describe('asks', () => {
  const second = (at: number) => ({ seconds: at, nanos: 0 });
  /** Of a server that lists these pages of runs, each with when it began and, where it is over, ended. */
  const indexOf = async (
    pages: () => [run: string, from: number, to: number | null][][],
    view: (run: string) => Promise<RunView | null>,
  ) => {
    const executions = (page: number) =>
      pages()[page]?.map(([run, from, to]) => ({
        execution: { workflowId: run },
        startTime: second(from),
        ...(to === null ? { status: 1 } : { closeTime: second(to), status: 2 }),
      }));
    const listWorkflowExecutions = async ({ query, nextPageToken }: { query: string; nextPageToken?: Buffer }) => {
      if (!query.includes("!= 'ContinuedAsNew'")) return { executions: [] };
      const at = nextPageToken === undefined ? 0 : 1;
      return { executions: executions(at), ...(pages().length > at + 1 ? { nextPageToken: Buffer.from('1') } : {}) };
    };
    const asked: string[] = [];
    const training = {
      view: (run: string) => {
        asked.push(run);
        return view(run);
      },
    };
    const client = { options: { namespace: 'n' }, connection: { workflowService: { listWorkflowExecutions } } };
    const calls = { client, within: (_seconds: number, _run: string | null, call: () => unknown) => call() };
    const backend = { calls, training } as unknown as Backend;
    const runs = new RunIndex(join(await mkdtemp(join(tmpdir(), 'run-index-')), 'index.jsonl'));
    onTestFinished(() => runs.close());
    const question = { terms: [], order: null, limit: 100, offset: 0 };
    return { asked, page: () => runs.page(backend, question) };
  };

  it('of the newest life of a run, also where an earlier one is on a later page, and asks the others when one cannot be taken', async () => {
    const { asked, page } = await indexOf(
      () => [
        [['a', 30, 40]],
        [
          ['b', 10, 20],
          ['a', 1, 9],
        ],
      ],
      async (run) => (run === 'a' ? ({} as RunView) : made(run, { lr: 0.1 }).view),
    );
    expect((await page()).runs.map(({ run, closedAt }) => [run, closedAt])).toEqual([
      ['a', '1970-01-01T00:00:40.000Z'],
      ['b', '1970-01-01T00:00:20.000Z'],
    ]);
    await expect.poll(async () => (await page()).pending, { timeout: 10_000 }).toBe(1);
    expect(asked.sort()).toEqual(['a', 'b']);
  });

  it('a run that has ended before older ones whom nobody answers for', async () => {
    let ended: number | null = null;
    const silent = Array.from({ length: 40 }, (_, at): [string, number, number] => [`silent-${at}`, at + 1, at + 2]);
    const { asked, page } = await indexOf(
      () => [[['new', 50, ended], ...silent]],
      async (run) => {
        if (run === 'new') return made(run, { lr: 0.1 }).view;
        throw new NoWorkerError('nobody is there');
      },
    );
    await expect.poll(async () => (await page()).pending, { timeout: 10_000 }).toBe(40);
    ended = 60;
    const times = () => asked.filter((run) => run === 'new').length;
    await expect.poll(async () => (await page()) && times(), { timeout: 30_000 }).toBe(2);
    // One round of questions had begun, and then stopped, as nobody answered.
    expect(asked.lastIndexOf('new')).toBeLessThan(2 * 12);
  });
});
