/** A file that is longer than this is two ideas. Also for Python, which the linter of TypeScript does not read. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const longest = 350;

/** Data: tables of cases, and what a program wrote. */
const data = [
  'contracts/run-chart-graph.ts',
  'test/trainers/datasets/cases/coco.py',
  'test/trainers/datasets/cases/supervisely.py',
];

const root = fileURLToPath(new URL('../..', import.meta.url));

async function* sources(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!/^(\.|node_modules$|__pycache__$|dist$|out$)/.test(entry.name)) yield* sources(path);
    } else if (/\.(ts|tsx|mjs|py|css)$/.test(entry.name) && !data.includes(path)) yield path;
  }
}

it(`has no file of more than ${longest} lines that is not data`, async () => {
  const tooLong: string[] = [];
  for await (const path of sources('')) {
    const lines = (await readFile(join(root, path), 'utf8')).split('\n').length - 1;
    if (lines > longest) tooLong.push(`${path} has ${lines} lines`);
  }
  expect(tooLong).toEqual([]);
});
