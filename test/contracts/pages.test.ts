/** What the SDK says of a trainer's pages is what the page reads, of this version and the next; `pages.json` is written by the SDK's tests. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { readLayout, type UiNode, type WidgetKind, widgetSchemas } from '../../contracts/ui.ts';
import { pageRowSchema, valueSchemas } from '../../contracts/ui-values.ts';
import { framed } from '../../web/src/pages/framed-html.ts';
import { blocksOf, inline } from '../../web/src/pages/markdown-blocks.ts';
import { rangeOf, ticksOf } from '../../web/src/pages/ranges.ts';

const shownSchema = z.object({ layout: z.json(), rows: z.array(z.record(z.string(), z.json())) });
const shown = shownSchema.parse(JSON.parse(await readFile(new URL('pages.json', import.meta.url), 'utf8')));

const kinds = (node: UiNode | null): string[] =>
  node === null ? [] : [node.kind, ...('children' in node ? node.children.flatMap(kinds) : [])];

it('reads every widget of the SDK, and every value, however hostile', () => {
  const all = Object.keys(widgetSchemas);
  expect(kinds(readLayout(shown.layout)).sort()).toEqual(['container', ...all].sort());
  expect(shown.rows.map(({ widget }) => widget).sort()).toEqual(all.sort());
  for (const { shows, ...row } of shown.rows) {
    expect(pageRowSchema.parse(row)).toMatchObject(row);
    const read = valueSchemas[row.widget as WidgetKind].safeParse(shows);
    expect(read.error?.issues ?? [], String(row.widget)).toEqual([]);
  }
});

it('shows a widget of a newer SDK as what it is, with what is in it, and one that it cannot read', () => {
  const text = { kind: 'text', id: 'a', title: '', text: 'Hello', addedLater: 1 };
  const layout = readLayout({
    kind: 'container',
    children: [
      { kind: 'volume', id: 'v', title: 'Voxels', resolution: 5 },
      { kind: 'carousel', children: [text] },
      { kind: 'lineChart', id: 7 },
      { kind: 'card', columns: 12, children: [text] },
      { kind: 'constructor' },
      { kind: 'tabs', tabs: [{ title: 'T', children: [text] }, null] },
      'text',
      null,
    ],
  });
  const other = (was: string, title = '', children: unknown[] = []) => ({ kind: 'other', was, title, children });
  expect(layout).toMatchObject({
    children: [
      other('volume', 'Voxels'),
      other('carousel', '', [text]),
      other('lineChart'),
      other('card', '', [text]),
      other('constructor'),
      { kind: 'tabs', tabs: [{ title: 'T', children: [text] }] },
      other('nothing that has a kind'),
      other('nothing that has a kind'),
    ],
  });
  for (const none of [null, 5, 'x', []]) expect(readLayout(none)).toBeNull();
  // Neither depth nor number takes a page down.
  let deep: unknown = text;
  for (let depth = 0; depth < 10_000; depth++) deep = { kind: 'container', children: [deep] };
  expect(kinds(readLayout(deep)).length).toBeLessThan(20);
  const many = readLayout({ kind: 'container', children: Array(100_000).fill({ kind: 'table', id: 'x' }) });
  expect(kinds(many)).toHaveLength(501);
});

it('reaches no file of a run but those of its pages', () => {
  const row = { widget: 'a', epoch: 1, position: { epoch: 0, batch: 1 }, at: '2026-01-01T00:00:00.000Z', files: {} };
  const file = `pages/${'0'.repeat(32)}.json`;
  expect(pageRowSchema.safeParse({ ...row, file }).success).toBe(true);
  for (const wrong of ['config.yaml', `../${file}`, `${file}/..`, `pages/${'0'.repeat(32)}.svg`, `x${file}`]) {
    expect(pageRowSchema.safeParse({ ...row, file: wrong }).success, wrong).toBe(false);
    expect(pageRowSchema.safeParse({ ...row, files: { [wrong]: 1 } }).success, wrong).toBe(false);
    const image = { file: wrong, width: 1, height: 1 };
    expect(valueSchemas.image.safeParse({ image, caption: '' }).success, wrong).toBe(false);
  }
});

it('puts the policy of a frame before all that a trainer wrote', () => {
  const html = framed('<meta http-equiv="Content-Security-Policy" content="default-src *"><script>1</script>');
  expect(html.indexOf("default-src 'none'")).toBeLessThan(html.indexOf('default-src *'));
  expect(html).toMatch(/^<!doctype html><meta charset="utf-8"><meta http-equiv/);
});

it('reads Markdown in time that grows with its length, and links to nothing but http(s)', () => {
  expect(
    blocksOf('# A\ntext\nmore\n\n- one\n- two\n  and more\n1. x\n> q\n```\ncode *x*\n```\nend'.split('\n')),
  ).toEqual([
    { kind: 'heading', level: 1, text: 'A' },
    { kind: 'paragraph', text: 'text\nmore' },
    { kind: 'list', ordered: false, items: ['one', 'two and more'] },
    { kind: 'list', ordered: true, items: ['x'] },
    { kind: 'quote', text: 'q' },
    { kind: 'code', text: 'code *x*' },
    { kind: 'paragraph', text: 'end' },
  ]);
  const linksOf = (text: string) => [...text.matchAll(inline)].map((found) => found[5]);
  expect(linksOf('[a](https://a.org/x) [b](javascript:alert(1)) [c](data:text/html,x)')).toEqual(['https://a.org/x']);
  for (const hostile of ['['.repeat(20_000), '*'.repeat(20_000), '`'.repeat(20_000), '[a]('.repeat(5_000)])
    expect(linksOf(hostile).length).toBeLessThan(20_000);
});

it('has axes for any numbers', () => {
  expect(ticksOf([0, 1], 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticksOf([-3, 12], 5)).toEqual([0, 5, 10]);
  expect(rangeOf([null, null])).toEqual([0, 1]);
  expect(rangeOf([3, 3], { zero: true })[0]).toBe(0);
  for (const range of [
    [1, 1],
    [1e299, 1e299 + 1],
    [-1e300, 1e300],
    [0, Number.NaN],
    [0, 1e-320],
  ] as const)
    expect(ticksOf(range, 5).length).toBeLessThanOrEqual(50);
});
