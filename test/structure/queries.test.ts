/** What a page asks for comes back by itself once what was away is there again: also what is asked for once. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { askedEvery } from '../../web/src/api/asked-every.ts';
import { CallError } from '../../web/src/api/call.ts';

const web = fileURLToPath(new URL('../../web/src', import.meta.url));

/** Files by which a person looks at one thing for a moment; it says why it could not be read, and a click asks again. */
const shownForAMoment = ['run/text-preview.tsx'];

it('an interval that may end goes through askedEvery', async () => {
  const ending: string[] = [];
  for (const path of await readdir(web, { recursive: true })) {
    if (!/\.tsx?$/.test(path) || shownForAMoment.includes(path)) continue;
    const text = await readFile(join(web, path), 'utf8');
    for (const [line] of text.matchAll(/refetchInterval: (?!askedEvery|[\d_]+\b).*/g)) ending.push(`${path}: ${line}`);
  }
  expect(ending).toEqual([]);
});

it('asks again where something was away, whatever its own interval is', () => {
  const query = (error: Error | null) => ({ state: { error } });
  const away = query(new CallError('The server does not answer.', null));
  const isLongAgo = () => false as const;
  for (const own of [false, isLongAgo] as const) {
    expect(askedEvery(own)(away)).toBeGreaterThan(0);
    expect(askedEvery(own)(query(null))).toBe(false);
    expect(askedEvery(own)(query(new TypeError('another one')))).toBe(false);
  }
  expect(askedEvery(3_000)(query(null))).toBe(3_000);
});
