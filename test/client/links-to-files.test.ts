/** Links to stored files: who has none is not asked for every file. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NoWorkerError, WorkerFailedError } from '../../client/errors.ts';
import { type FilesPlace, RunFiles } from '../../client/run-files.ts';
import type { Question } from '../../client/worker-questions.ts';
import { aboutLink, linkRunFileSchema } from '../../contracts/run-files.ts';
import { sealText } from '../../contracts/sealed-text.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

const place = (pool: string, store: string): FilesPlace => ({
  ...{ source: 'store', run: 'r', project: 'p', store, asked: { pool } },
});
/** Of workers that answer so, each question once. */
function filesOf(answer: (input: unknown) => unknown) {
  const asked: string[] = [];
  const ask = async <T>(question: Question<T>): Promise<T> => {
    const [input] = question.args;
    asked.push(linkRunFileSchema.parse(input).path);
    return question.answer.parse(await answer(input));
  };
  return { asked, files: new RunFiles({ ask }) };
}
const linked = (input: unknown) => {
  const question = linkRunFileSchema.parse(input);
  return sealText(`https://s3.example.org/${question.path}`, question.key, aboutLink(question));
};

it('are asked for each file where there are some', async () => {
  const { asked, files } = filesOf(linked);
  for (const path of ['a', 'b']) expect(await files.link(place('gpu', 's3://b/x'), path)).toMatch(path);
  expect(asked).toEqual(['a', 'b']);
});

it.each([
  ['a worker of an earlier version', () => Promise.reject(new WorkerFailedError('no such activity'))],
  ['a store without links', () => null],
])('of %s are not asked for again for a while, of others they are', async (_, answer) => {
  const { asked, files } = filesOf((input) =>
    linkRunFileSchema.parse(input).place.store === 's3://b/x' ? answer() : linked(input),
  );
  for (const path of ['a', 'b', 'c']) expect(await files.link(place('gpu', 's3://b/x'), path)).toBeNull();
  expect(asked).toEqual(['a']);
  expect(await files.link(place('gpu', 's3://b/y'), 'd')).toMatch(/d$/);
  expect(await files.link(place('cpu', 's3://b/x'), 'e')).toBeNull();
  expect(asked).toEqual(['a', 'd', 'e']);
  vi.advanceTimersByTime(10 * 60 * 1000);
  expect(await files.link(place('gpu', 's3://b/x'), 'f')).toBeNull();
  expect(asked.at(-1)).toBe('f');
});

it('are asked for again where no worker was there to answer', async () => {
  const answers = [() => Promise.reject(new NoWorkerError('nobody')), linked];
  const { files } = filesOf((input) => answers.shift()?.(input));
  expect(await files.link(place('gpu', 's3://b/x'), 'a')).toBeNull();
  expect(await files.link(place('gpu', 's3://b/x'), 'a')).toMatch(/a$/);
});
