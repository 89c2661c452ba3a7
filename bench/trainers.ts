/**
 * `npm run bench:trainers [-- overhead|quality] [trainer …] [--pairs=N]`: what trainers cost under Epochal, and what they
 * reach. Prints tables, and last the same as one line of JSON. `--write` also puts the rows into docs/benchmarks.md.
 */
import { availableParallelism } from 'node:os';
import type { BenchResult } from './result.ts';
import { showResult } from './show-result.ts';
import { trainersOverhead } from './trainers-overhead.ts';
import { trainersQuality } from './trainers-quality.ts';

const trainers = ['pytorch', 'lightning', 'transformers', 'yolov8', 'mmdetection'];
const parts = ['overhead', 'quality'];

const words = process.argv.slice(2);
const names = words.filter((word) => !word.startsWith('--'));
const unknown = names.filter((name) => ![...parts, ...trainers].includes(name));
if (unknown.length > 0) {
  const known = [...parts, ...trainers].join(', ');
  process.stderr.write(`There is no ${unknown.join(', ')} to measure; there are ${known}.\n`);
  process.exit(2);
}
/** Those of `all` that were named; all of them, where none was. */
const chosen = (all: readonly string[]) => {
  const named = all.filter((one) => names.includes(one));
  return named.length > 0 ? named : all;
};
const pairs = /^--pairs=(\d+)$/.exec(words.find((word) => word.startsWith('--pairs=')) ?? '')?.[1];

const results: Record<string, BenchResult> = {};
for (const part of chosen(parts)) {
  process.stderr.write(`${part} …\n`);
  const asked = chosen(trainers);
  const result =
    part === 'quality'
      ? await trainersQuality(asked)
      : await trainersOverhead(asked, pairs ? Number(pairs) : undefined);
  results[`trainers-${part}`] = result;
  await showResult(result, `trainers-${part}`, { write: words.includes('--write'), keepOthers: true });
}
process.stdout.write(`${JSON.stringify({ cores: availableParallelism(), results })}\n`);
