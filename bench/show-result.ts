/** Shows a benchmark's table. */
import Table from 'cli-table3';
import type { BenchResult } from './result.ts';
import { writeTable } from './write-table.ts';

/** `write`: also into docs/benchmarks.md, at the place of this name. */
export async function showResult(
  result: BenchResult,
  name: string,
  { write, keepOthers = false }: { write: boolean; keepOthers?: boolean },
): Promise<void> {
  const table = new Table({ head: result.columns, style: { head: [], border: [] } });
  table.push(...result.rows);
  process.stdout.write(`\n${result.title}\n${result.about}\n${table.toString()}\n`);
  if (write) await writeTable(name, result, { keepOthers });
}
