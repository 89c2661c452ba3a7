/** A trainer's own pages as the API answers them, whatever a trainer has written in their place. */
import { expect, it } from 'vitest';
import type { FilesPlace, RunFiles } from '../../client/run-files.ts';
import { runPages } from '../../server/run-pages.ts';

const place = { source: 'host' } as FilesPlace;
const filesWith = (layout: string) =>
  ({
    size: async (_place: FilesPlace, path: string) => (path === 'pages.json' ? layout.length : null),
    bytes: async function* () {
      yield Buffer.from(layout);
    },
  }) as unknown as RunFiles;

it('answers no layout for what is none, is too large, or is nested too deeply for an answer', async () => {
  const deep = `{"children":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
  const large = JSON.stringify({ kind: 'container', title: 'x'.repeat(70_000) });
  for (const wrong of ['[]', 'null', '{"kind":', large, deep])
    expect((await runPages(filesWith(wrong), place))?.layout, wrong.slice(0, 20)).toBeNull();
  const layout = { kind: 'container', addedLater: [1, { a: null }] };
  expect(await runPages(filesWith(JSON.stringify(layout)), place)).toEqual({ source: 'host', layout, rows: [] });
});
