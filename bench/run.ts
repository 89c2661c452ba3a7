/**
 * `npm run bench [-- name …]`: measures, prints tables, and last the same as one line of JSON. `--write` also puts the
 * tables into docs/benchmarks.md.
 */
import { availableParallelism } from 'node:os';
import { concurrency } from './concurrency.ts';
import { fleet } from './fleet.ts';
import { largeCheckpoint } from './large-checkpoint.ts';
import { overhead } from './overhead.ts';
import { pages } from './pages.ts';
import { profile } from './profile.ts';
import { recovery } from './recovery.ts';
import type { BenchResult } from './result.ts';
import { showResult } from './show-result.ts';
import { snapshots } from './snapshots.ts';
import { stop } from './stop.ts';
import { storing, storingS3 } from './storing.ts';
import { submitted } from './submitted.ts';
import { trackers } from './trackers.ts';
import { uploads } from './uploads.ts';
import { wastedWork } from './wasted-work.ts';
import { webBundle } from './web-bundle.ts';
import { webCurves } from './web-curves.ts';
import { webList } from './web-list.ts';
import { webLoad } from './web-load.ts';
import { webProgress } from './web-progress.ts';

const benches: Record<string, () => Promise<BenchResult>> = {
  overhead,
  stop,
  recovery,
  wasted: wastedWork,
  snapshots,
  storing,
  storingS3,
  uploads,
  largeCheckpoint,
  trackers,
  concurrency,
  submitted,
  fleet,
  profile,
  pages,
  webBundle,
  webLoad,
  webProgress,
  webList,
  webCurves,
};

const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = asked.filter((name) => !(name in benches));
if (unknown.length > 0) {
  process.stderr.write(`There is no benchmark ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.\n`);
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const results: Record<string, BenchResult> = {};
for (const [name, bench] of Object.entries(benches)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  const result = await bench();
  results[name] = result;
  await showResult(result, name, { write: process.argv.includes('--write') });
}
process.stdout.write(`${JSON.stringify({ cores: availableParallelism(), results })}\n`);
