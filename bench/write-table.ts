/** Puts a benchmark's table into docs/benchmarks.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { BenchResult } from './result.ts';

const document = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

/**
 * Between `<!-- name -->` and `<!-- /name -->`; what stands around them is written by hand. With `keepOthers`, rows of the
 * same table that are there already and were not measured now stay; a row is known by its first cell.
 */
export async function writeTable(
  name: string,
  { title, about, columns, rows }: BenchResult,
  { keepOthers = false } = {},
): Promise<void> {
  const text = await readFile(document, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, rest] = text.split(begin);
  const [old, after] = rest?.split(end) ?? [];
  if (before === undefined || old === undefined || after === undefined) {
    throw new Error(`docs/benchmarks.md has no place for ${name}`);
  }
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const measured = new Set(rows.map((row) => String(row[0])));
  const there = old.includes(line(columns)) && keepOthers ? old.split('\n').filter((one) => one.startsWith('| ')) : [];
  const others = there.slice(2).filter((one) => !measured.has(one.split(' | ')[0]?.slice(2) ?? ''));
  const table = [line(columns), line(columns.map(() => '---')), ...others, ...rows.map(line)].join('\n');
  await writeFile(document, `${before}${begin}\n\n**${title}.** ${about}\n\n${table}\n\n${end}${after}`);
}
