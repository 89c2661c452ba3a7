/** Puts a benchmark's table into docs/benchmarks.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { BenchResult } from './result.ts';

const document = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

/** Between `<!-- name -->` and `<!-- /name -->`; what stands around them is written by hand. */
export async function writeTable(name: string, { title, about, columns, rows }: BenchResult): Promise<void> {
  const text = await readFile(document, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/benchmarks.md has no place for ${name}`);
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const table = [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
  await writeFile(document, `${before}${begin}\n\n**${title}.** ${about}\n\n${table}\n\n${end}${after}`);
}
