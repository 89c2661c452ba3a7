/** `epochal ls --where … --sort … --columns …`: which fields there are, what a condition may be, and what runs without a value do. */
import { describe, expect, it, vi } from 'vitest';
import { NoWorkerError } from '../../client/errors.ts';
import { findRuns, mostSearched } from '../../client/found-runs.ts';
import { inOrder, parseOrder, termsOf } from '../../client/run-conditions.ts';
import { fieldOf, type ListedRun, resolveField, searchedRun } from '../../client/run-fields.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { matchesSearch } from '../../contracts/run-search.ts';
import type { RunSummary } from '../../contracts/run-summary.ts';

const listed = (run: string, parameters: object = {}, metrics: object = {}): ListedRun => ({
  summary: {
    run,
    standing: 'completed',
    state: 'stopped',
    trainer: 'counter',
    project: 'p',
    bestMetric: null,
    startedAt: '2030-06-01T11:00:00.000Z',
    createdAt: '2029-12-31T00:00:00.000Z',
  } as RunSummary,
  view: { run, metrics, config: { epochs: 3, parameters }, position: { epoch: 2, batch: 0 } } as unknown as RunView,
});
const a = listed('a', { lr0: 0.1, optimizer: 'sgd', aug: { mosaic: 1 } }, { loss: 0.5, 'mAP50(B)': 0.7 });
const b = listed('b', { lr0: 0.01, optimizer: 'adam' }, { loss: 0.25 });
const c = listed('c', { lr0: 'auto' });
const runs = [a, b, c];
const names = (found: readonly ListedRun[]) => found.map(({ summary }) => summary.run).join('');
const has = (field: string) => runs.some((run) => fieldOf(run, field) !== null);
const where = (text: string) => {
  const terms = termsOf('--where', text).map((term) =>
    term.kind === 'word' ? term : { ...term, field: resolveField(term.field, has) },
  );
  return names(runs.filter((run) => matchesSearch(searchedRun(run), terms)));
};

it.each([
  ['lr0 > 0.05', 'a'],
  ['lr0<=0.1', 'ab'],
  ['lr0 = auto', 'c'],
  ['lr0 = 1e-1', 'a'],
  ['optimizer != sgd', 'b'],
  ['-optimizer:sgd', 'bc'],
  ['optimizer = "adam"', 'b'],
  ['aug.mosaic >= 1', 'a'],
  ['mAP50(B) > 0.5', 'a'],
  ['metrics.loss < 0.4', 'b'],
  ['epochs = 3', 'abc'],
  ['trained < 3', 'abc'],
  ['run = b', 'b'],
  ['state:completed', 'abc'],
  ['state:stopped -lr0:auto', 'ab'],
  ['SGD', 'a'],
  ['mosaic lr0 counter', 'a'],
  ['-adam lr0 > 0', 'a'],
  ['started < 2030-06-01T12 run != b', 'ac'],
  ['created > 2030', ''],
])('%s finds %s', (text, found) => expect(where(text)).toBe(found));

it('a name that is a parameter and a metric, or neither, is refused', () => {
  const both = [listed('d', { loss: 'mse' }, { loss: 1 })];
  const inBoth = (field: string) => both.some((run) => fieldOf(run, field) !== null);
  expect(() => resolveField('loss', inBoth)).toThrow('must be parameters.loss or metrics.loss, for there are both');
  expect(fieldOf(both[0] as ListedRun, 'parameters.loss')).toBe('mse');
  expect(() => resolveField('nothing', has)).toThrow(
    'field is "nothing": none of these runs has such a parameter or metric',
  );
  expect(() => resolveField('toString', has)).toThrow('none of these runs');
});

describe('the order', () => {
  it('has runs without a value last, and numbers before text, either way', () => {
    expect(names(inOrder(runs, 'parameters.lr0', false))).toBe('bac');
    expect(names(inOrder(runs, 'parameters.lr0', true))).toBe('abc');
    expect(names(inOrder(runs, 'metrics.loss', true))).toBe('abc');
    expect(names(inOrder(runs, 'metrics.loss', false))).toBe('bac');
  });
  it('is a field, with - for the largest first', () => {
    expect(parseOrder('-loss')).toEqual({ field: 'loss', descending: true });
    expect(() => parseOrder('-')).toThrow('--sort is empty');
  });
});

describe('a search', () => {
  const client = (all: readonly ListedRun[]) => {
    const asked: string[] = [];
    return {
      asked,
      async *list({ limit = 0 }: { limit?: number | undefined } = {}) {
        for (const { summary } of all.slice(0, limit)) yield summary;
      },
      async view(run: string) {
        asked.push(run);
        return all.find(({ summary }) => summary.run === run)?.view as RunView;
      },
    };
  };
  const search = { filter: {}, terms: [], order: null, fields: ['run'], limit: 2 };

  it('asks only the runs that what the server lists has left', async () => {
    const server = client(runs);
    const terms = termsOf('search', 'lr0 > 0 run != a');
    const found = await findRuns(server, { ...search, terms, fields: ['run', 'lr0'] });
    expect(names(found.runs)).toBe('b');
    expect(found.fields).toEqual(['run', 'parameters.lr0']);
    expect(server.asked.sort()).toEqual(['b', 'c']);
    expect((await findRuns(client(runs), search)).runs).toHaveLength(2);
  });

  it('waits for nobody once one run had no worker to answer, and says how many are not known', async () => {
    const many = Array.from({ length: 100 }, (_, index) => listed(`r${index}`));
    const server = { ...client(many), asked: 0, view: () => Promise.reject(new NoWorkerError('none')) };
    const view = vi.spyOn(server, 'view');
    const found = await findRuns(server, { ...search, fields: ['lr0'], limit: 100 });
    expect([found.runs.length, found.silent]).toEqual([100, 100]);
    expect(view.mock.calls.length).toBeLessThan(10);
  });

  it('sorts before it cuts, and says when there were more than it looked at', async () => {
    const order = parseOrder('loss');
    expect(names((await findRuns(client(runs), { ...search, order, limit: 1 })).runs)).toBe('b');
    const many = Array.from({ length: mostSearched + 1 }, (_, index) => listed(`r${index}`, { lr0: index }));
    const found = await findRuns(client(many), { ...search, order: parseOrder('-lr0'), limit: 1 });
    expect([names(found.runs), found.isCut]).toEqual([`r${mostSearched - 1}`, true]);
  });
});
