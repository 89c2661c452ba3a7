/** `epochal ls --where … --sort … --columns …`: which fields there are, what a condition may be, and what runs without a value do. */
import { describe, expect, it, vi } from 'vitest';
import { NoWorkerError } from '../../client/errors.ts';
import { findRuns, mostSearched } from '../../client/found-runs.ts';
import { inOrder, matches, parseCondition, parseOrder } from '../../client/run-conditions.ts';
import { fieldOf, type ListedRun, resolveField } from '../../client/run-fields.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import type { RunSummary } from '../../contracts/run-summary.ts';

const listed = (run: string, parameters: object = {}, metrics: object = {}): ListedRun => ({
  summary: { run, standing: 'completed', trainer: 'counter', project: 'p', bestMetric: null } as RunSummary,
  view: { run, metrics, config: { epochs: 3, parameters }, position: { epoch: 2, batch: 0 } } as unknown as RunView,
});
const a = listed('a', { lr0: 0.1, optimizer: 'sgd', aug: { mosaic: 1 } }, { loss: 0.5, 'mAP50(B)': 0.7 });
const b = listed('b', { lr0: 0.01, optimizer: 'adam' }, { loss: 0.25 });
const c = listed('c', { lr0: 'auto' });
const runs = [a, b, c];
const names = (found: readonly ListedRun[]) => found.map(({ summary }) => summary.run).join('');
const where = (text: string) => {
  const condition = parseCondition(text);
  return names(runs.filter((run) => matches(run, { ...condition, field: resolveField(condition.field, runs) })));
};

it.each([
  ['lr0 > 0.05', 'a'],
  ['lr0<=0.1', 'ab'],
  ['lr0 = auto', 'c'],
  ['lr0 = 1e-1', 'a'],
  ['optimizer != sgd', 'b'],
  ['optimizer = "adam"', 'b'],
  ['aug.mosaic >= 1', 'a'],
  ['mAP50(B) > 0.5', 'a'],
  ['metrics.loss < 0.4', 'b'],
  ['epochs = 3', 'abc'],
  ['trained < 3', 'abc'],
  ['run = b', 'b'],
])('%s finds %s', (text, found) => expect(where(text)).toBe(found));

it.each([
  ['lr0', 'must be a field, one of <= >= != = < >, and a number or text'],
  ['> 3', 'must be a field'],
  ['lr0 >', 'must be a field'],
  ['lr0 == 3', 'must be a field'],
  ['0 < lr0 < 1', 'lr0 < 1 must be one value'],
  ['lr0 > 0.1 and loss < 1', '0.1 and loss < 1 must be one value'],
  ['lr0 > big', '> must be followed by a number; text is compared with = or !='],
])('%s is refused in one sentence', (text, message) =>
  expect(() => parseCondition(text)).toThrow(`--where is ${JSON.stringify(text)}: ${message}`),
);

it('a name that is a parameter and a metric, or neither, is refused', () => {
  const both = [listed('d', { loss: 'mse' }, { loss: 1 })];
  expect(() => resolveField('loss', both)).toThrow('must be parameters.loss or metrics.loss, for there are both');
  expect(fieldOf(both[0] as ListedRun, 'parameters.loss')).toBe('mse');
  expect(() => resolveField('nothing', runs)).toThrow(
    'field is "nothing": none of these runs has such a parameter or metric',
  );
  expect(() => resolveField('toString', runs)).toThrow('none of these runs');
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
  const search = { filter: {}, conditions: [], order: null, fields: ['run'], limit: 2 };

  it('asks only the runs that what the server lists has left', async () => {
    const server = client(runs);
    const conditions = [parseCondition('lr0 > 0'), parseCondition('run != a')];
    const found = await findRuns(server, { ...search, conditions, fields: ['run', 'lr0'] });
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
