/**
 * `npm run bench [-- name …]`: measures, prints tables, and last the same as one line of JSON. `--write` also puts the
 * tables into docs/benchmarks.md.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { concurrency } from './concurrency.ts';
import { overhead } from './overhead.ts';
import type { BenchResult } from './result.ts';
import { stop } from './stop.ts';

const benches: Record<string, () => Promise<BenchResult>> = { overhead, stop, concurrency };
const document = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = asked.filter((name) => !(name in benches));
if (unknown.length > 0) {
  process.stderr.write(`There is no benchmark ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.\n`);
  process.exit(2);
}
const results: Record<string, BenchResult> = {};
for (const [name, bench] of Object.entries(benches)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  const result = await bench();
  results[name] = result;
  const table = new Table({ head: result.columns, style: { head: [], border: [] } });
  table.push(...result.rows);
  process.stdout.write(`\n${result.title}\n${result.about}\n${table.toString()}\n`);
  if (process.argv.includes('--write')) await write(name, result);
}
process.stdout.write(`${JSON.stringify({ cores: availableParallelism(), results })}\n`);

/** Between `<!-- name -->` and `<!-- /name -->`; what stands around them is written by hand. */
async function write(name: string, { title, about, columns, rows }: BenchResult): Promise<void> {
  const text = await readFile(document, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/benchmarks.md has no place for ${name}`);
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const table = [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
  await writeFile(document, `${before}${begin}\n\n**${title}.** ${about}\n\n${table}\n\n${end}${after}`);
}
