/** A trainer's own pages as the API answers them, whatever a trainer has written in their place. */
import { expect, it } from 'vitest';
import type { FilesPlace, RunFiles } from '../../client/run-files.ts';
import { noPages, runPages } from '../../server/run-pages.ts';
import { joinedPages } from '../../web/src/pages/run-pages.ts';

const place = { source: 'host' } as FilesPlace;

/** A run folder that has these files; of each the bytes that were asked for. */
function folderWith(content: Record<string, string>) {
  const asked: Record<string, number> = {};
  const files = {
    size: async (_place: FilesPlace, path: string) => content[path]?.length ?? null,
    bytes: async function* (_place: FilesPlace, path: string, start: number, end: number) {
      asked[path] = end - start;
      // In parts that end anywhere.
      for (let at = start; at < end; at += 100)
        yield Buffer.from(content[path] ?? '').subarray(at, Math.min(at + 100, end));
    },
  } as unknown as RunFiles;
  return { content, asked, files };
}

const line = (widget: string, epoch: number, text: string) =>
  `${JSON.stringify({ widget, epoch, position: { epoch: epoch - 1, batch: 5 }, at: '2026-01-01T00:00:00.000Z', value: { text }, files: {} })}\n`;
const shown = (rows: { widget: string; epoch: number }[]) => rows.map(({ widget, epoch }) => `${widget} ${epoch}`);

it('answers no layout for what is none, is too large, or is nested too deeply for an answer', async () => {
  const deep = `{"children":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
  const large = JSON.stringify({ kind: 'container', title: 'x'.repeat(70_000) });
  for (const wrong of ['[]', 'null', '{"kind":', large, deep]) {
    const { files } = folderWith({ 'pages.json': wrong });
    expect((await runPages(files, place))?.layout, wrong.slice(0, 20)).toBeNull();
  }
  const layout = { kind: 'container', addedLater: [1, { a: null }] };
  const { files } = folderWith({ 'pages.json': JSON.stringify(layout) });
  expect(await runPages(files, place)).toMatchObject({ source: 'host', layout, rows: [], isWhole: true });
  expect(await runPages(folderWith({}).files, place)).toBeNull();
});

it('tells what came since, and all again where the file was written anew', async () => {
  const { content, asked, files } = folderWith({ 'pages.json': '{"kind":"container"}' });
  let pages = joinedPages(undefined, noPages(place));
  const asks = async () => {
    const more = await runPages(files, place, pages.next);
    if (!more) throw new Error('there is a layout');
    pages = joinedPages(pages, more);
    return { ...more, shown: shown(more.rows) };
  };

  expect(await asks()).toMatchObject({ layout: { kind: 'container' }, shown: [] });
  const first = Array.from({ length: 50 }, (_, index) => line('text', index + 1, 'a')).join('');
  // One that is being written comes with the next question.
  const half = line('text', 51, 'b');
  content['pages.jsonl'] = first + half.slice(0, 30);
  const all = await asks();
  expect([all.rows.length, 'layout' in all]).toEqual([50, false]);
  content['pages.jsonl'] = first + half + line('text', 51, 'again') + line('other', 51, 'c');
  expect(await asks()).toMatchObject({ isWhole: false, shown: ['text 51', 'other 51'] });
  expect(asked['pages.jsonl']).toBeLessThan(1_000);
  expect(await asks()).toMatchObject({ isWhole: false, shown: [] });
  expect(pages.layout).toEqual({ kind: 'container' });
  expect(shown(pages.rows)).toEqual([...shown(all.rows), 'text 51', 'other 51']);
  expect(pages.rows.at(-2)?.value).toEqual({ text: 'again' });

  content['pages.jsonl'] = line('text', 1, 'a') + half + line('other', 51, 'c');
  expect(await asks()).toMatchObject({ isWhole: true, shown: ['text 1', 'text 51', 'other 51'] });
  expect(shown(pages.rows)).toEqual(['text 1', 'text 51', 'other 51']);
  // As long as before, with another line where the last one was.
  content['pages.jsonl'] = line('text', 1, 'a') + half + line('other', 51, 'd') + line('other', 52, 'e');
  expect(await asks()).toMatchObject({ isWhole: true });
  expect(pages.rows).toHaveLength(4);

  content['pages.json'] = '{"kind":"tabs"}';
  expect(await asks()).toMatchObject({ layout: { kind: 'tabs' }, isWhole: false, shown: [] });
  expect(pages.layout).toEqual({ kind: 'tabs' });
});

it.each(['0-0-0-0', '0-5-9-0', 'ffffff-ffffffffff-fffff-0', '0-1-1', '----', '0-5-5-abc'])(
  'tells all after %s, which nobody was told',
  async (after) => {
    const { files } = folderWith({ 'pages.json': '{}', 'pages.jsonl': line('text', 1, 'a') });
    expect(await runPages(files, place, after)).toMatchObject({ isWhole: true, rows: [{ widget: 'text' }] });
  },
);
