/** Output without an end fills no memory: lines, programs and folders are read within bounds. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readLines } from '../../worker/bounded-lines.ts';
import { inGroups } from '../../worker/in-groups.ts';
import { runProgram } from '../../worker/run-program.ts';

async function read(chunks: string[], longest: number): Promise<string[]> {
  const stream = new PassThrough();
  const seen: string[] = [];
  const over = readLines(stream, longest, {
    onLine: (line) => seen.push(line),
    onTooLong: (beginning) => seen.push(`too long: ${beginning.slice(0, 4)}`),
  });
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await over;
  return seen;
}

describe('lines', () => {
  it('are told whole, however they come, also the last one', async () => {
    expect(await read(['on', 'e\ntwo\r\n', '\nthr', 'ee'], 100)).toEqual(['one', 'two', '', 'three']);
  });

  it('that do not end are given up, and what follows is dropped', async () => {
    expect(await read(['a\n', 'bbbbbb', 'bbbbbb', 'bbbb\nc\n'], 10)).toEqual(['a', 'too long: bbbb']);
  });
});

it('a program that writes without an end is ended, and the reason is told', async () => {
  const { code, tail } = await runProgram('sh', ['-c', 'tr "\\0" x < /dev/zero']);
  expect(code).toBeNull();
  expect(tail).toContain('it was ended: it wrote more than 16777216 bytes');
});

it('many files are read a few at a time, in order', async () => {
  let [now, most] = [0, 0];
  const numbers = Array.from({ length: 100 }, (_, index) => index);
  const read = await inGroups(numbers, async (number) => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    now--;
    return number;
  });
  expect(read).toEqual(numbers);
  expect(most).toBeLessThanOrEqual(16);
});
