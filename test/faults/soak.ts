/**
 * `npm run soak -- --minutes N --seed S [--schedules K] [--faults 'worker killed,activity failed'] [--mlflow]`: random schedules, one seed after
 * the other, until the time is up, of these faults alone if any are named, with runs that are told to MLflow if so. Prints each schedule's line and the totals; ends with code 1 when anything was violated.
 */
import { parseArgs } from 'node:util';
import { startMlflow } from '../observers/servers/mlflow-ready.ts';
import { Arena } from './random-schedules.ts';
import { faultKinds, scheduleOf } from './schedule.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    schedules: { type: 'string', default: '1000000' },
    faults: { type: 'string' },
    mlflow: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const [minutes, firstSeed, most] = [values.minutes, values.seed, values.schedules].map(Number);
if (![minutes, firstSeed, most].every((value) => value !== undefined && Number.isFinite(value) && value >= 0)) {
  throw new Error('--minutes, --seed and --schedules must be numbers');
}

const [firstFault, ...otherFaults] = (values.faults?.split(',') ?? []).map((name) => {
  const kind = faultKinds.find((one) => one === name.trim());
  if (!kind) throw new Error(`--faults has ${name}, which is none of ${faultKinds.join(', ')}`);
  return kind;
});
const faults = firstFault && ([firstFault, ...otherFaults] as const);

const print = (line: string) => process.stdout.write(`${line}\n`);
const end = performance.now() + (minutes ?? 0) * 60_000;
const counts = new Map<string, number>();
let schedules = 0;
let violations = 0;
let runs = 0;
const mlflow = values.mlflow ? await startMlflow() : null;
const arena = await Arena.open(mlflow?.server);
try {
  while (schedules < (most ?? 0) && performance.now() < end) {
    const schedule = scheduleOf((firstSeed ?? 0) + schedules, faults);
    const began = performance.now();
    const lines: string[] = [];
    const result = await arena.play(schedule, (line) => lines.push(line));
    schedules++;
    runs += schedule.configs.length;
    violations += result.violations.length;
    for (const kind of result.happened) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    print(`seed ${schedule.seed}: ${schedule.configs.length} runs, ${result.happened.join(', ')} (${seconds} s)`);
    if (values.verbose || result.violations.length > 0) for (const line of lines) print(line);
    for (const violation of result.violations) print(`  VIOLATION ${violation}`);
  }
} finally {
  await arena.close();
  await mlflow?.stop();
}
print('');
for (const kind of faultKinds) print(`${String(counts.get(kind) ?? 0).padStart(6)}  ${kind}`);
print(
  `${schedules} schedules, ${runs} runs, ${[...counts.values()].reduce((sum, count) => sum + count, 0)} faults, ${violations} violations`,
);
process.exit(violations > 0 ? 1 : 0);
