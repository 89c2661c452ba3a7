/**
 * `npm run bench:footprint`: what `npm start` takes 50 seconds after its start (resident memory of its Node process, Temporal excluded)
 * and once nothing trains (share of a core), what an installed package takes on disk, and how long `npx epochal --help` takes there.
 * Ends with code 1 above a target. `--write` puts the table into docs/benchmarks.md. Needs /proc.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bytesBelow, call, installInto, packInto } from '../test/support/installed-package.ts';
import type { BenchResult } from './result.ts';
import { showResult } from './show-result.ts';
import { rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const measuredAfterMs = 50_000;
const idleMs = 20_000;
const helpTries = 7;

/** Of a process, now. Clock ticks are a hundredth of a second on Linux. */
async function processUse(pid: number): Promise<{ mebibytes: number; cpuSeconds: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { mebibytes: kibibytes / 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100 };
}

/** With data folders of its own, so that it trains the demo; the demo's packages and the web UI are there before. */
async function served(scratch: string): Promise<{ mebibytes: number; idleShare: number }> {
  const env = { ...process.env, EPOCHAL_DATA_DIR: join(scratch, 'data'), EPOCHAL_SERVER_PORT: '' };
  const launcher = spawn(process.execPath, [join(root, 'launch', 'start.mjs')], { cwd: root, env, stdio: 'ignore' });
  process.once('exit', () => launcher.kill('SIGKILL'));
  try {
    await delay(measuredAfterMs);
    const pid = launcher.pid ?? 0;
    const { mebibytes, cpuSeconds } = await processUse(pid);
    await delay(idleMs);
    const idle = (await processUse(pid)).cpuSeconds - cpuSeconds;
    return { mebibytes, idleShare: idle / (idleMs / 1000) };
  } finally {
    const ended = once(launcher, 'exit');
    launcher.kill('SIGINT');
    await ended;
  }
}

async function secondsOfHelp(project: string): Promise<number> {
  const seconds: number[] = [];
  for (let tries = 0; tries < helpTries; tries++) {
    const began = performance.now();
    await call('npx', ['epochal', '--help'], { cwd: project });
    seconds.push((performance.now() - began) / 1000);
  }
  return seconds.sort((one, other) => one - other)[Math.floor(helpTries / 2)] ?? 0;
}

const scratch = await mkdtemp(join(tmpdir(), 'epochal-bench-footprint-'));
try {
  const load = rounded(loadavg()[0] ?? 0, 1);
  const project = join(scratch, 'project');
  await installInto(project, await packInto(scratch));
  const modules = (await bytesBelow(join(project, 'node_modules'))) / 1e6;
  const help = await secondsOfHelp(project);
  // Compiles the clone where it has changed.
  await call(process.execPath, [join(root, 'bin', 'epochal.mjs'), '--version'], { cwd: root });
  const { mebibytes, idleShare } = await served(scratch);
  const measured = [
    { what: 'memory of `npm start` after 50 s, MiB', value: Math.round(mebibytes), target: 400 },
    { what: 'its share of a core while nothing trains, %', value: rounded(idleShare * 100, 2), target: 1 },
    { what: 'node modules of an installed package, MB', value: Math.round(modules), target: 340 },
    { what: '`npx epochal --help`, s', value: rounded(help, 2), target: 0.5 },
  ];
  if (measured.some(({ value, target }) => value > target)) process.exitCode = 1;
  const result: BenchResult = {
    title: 'What an installation takes',
    about: `Measured at a load of ${load} on ${availableParallelism()} cores; Temporal is a process of its own and is not counted.`,
    columns: ['what', 'measured', 'target'],
    rows: measured.map(({ what, value, target }) => [what, value, `≤ ${target}`]),
  };
  await showResult(result, 'footprint', { write: process.argv.includes('--write') });
} finally {
  await rm(scratch, { recursive: true, force: true });
}
