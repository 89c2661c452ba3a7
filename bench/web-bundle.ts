/** Bytes that a browser fetches before a page of the web shows itself: the entry, the page's chunk, all that they import. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ensureBuiltWeb } from '../launch/build-web.ts';
import type { BenchResult } from './result.ts';

const manifestSchema = z.record(
  z.string(),
  z.object({
    file: z.string(),
    imports: z.array(z.string()).default([]),
    css: z.array(z.string()).default([]),
  }),
);

export const webPages = {
  runs: ['src/runs/runs-page.tsx'],
  /** The editor comes after the form is there, and the form of parameters with its step. */
  newRun: ['src/wizard/new-run-page.tsx'],
  run: ['src/run/run-page.tsx', 'src/run/state-chart.tsx', 'src/curves/run-curves.tsx'],
  compare: ['src/curves/compare-page.tsx'],
  hosts: ['src/hosts/hosts-page.tsx'],
} as const;

/** Gzipped, as the server sends them to a browser that does not take brotli. */
export async function firstLoadBytes(
  page: keyof typeof webPages,
  built = fileURLToPath(new URL('../web/dist', import.meta.url)),
): Promise<number> {
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(built, '.vite', 'manifest.json'), 'utf8')));
  const files = new Set<string>();
  const seen = new Set<string>();
  const collect = (name: string) => {
    const chunk = manifest[name];
    if (!chunk || seen.has(name)) return;
    seen.add(name);
    files.add(chunk.file);
    for (const style of chunk.css) files.add(style);
    for (const imported of chunk.imports) collect(imported);
  };
  for (const name of ['index.html', ...webPages[page]]) collect(name);
  const sizes = await Promise.all([...files].map(async (file) => (await stat(join(built, `${file}.gz`))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

export async function webBundle(): Promise<BenchResult> {
  await ensureBuiltWeb();
  const rows: BenchResult['rows'] = [];
  for (const page of Object.keys(webPages) as (keyof typeof webPages)[])
    rows.push([page, Math.round((await firstLoadBytes(page)) / 1000), '≤ 500 kB']);
  return {
    title: 'What a browser fetches first',
    about: 'Scripts and styles before a page shows itself, gzipped; all of it is cached for good.',
    columns: ['page', 'kB', 'target'],
    rows,
  };
}
