/**
 * `npm run bench:containers`: what a container costs a session: how much later its first epoch ends, and how much slower it trains, than as a
 * process of the same machine, in pairs. Needs root on Linux where no Docker engine answers: one is installed and started then. Minutes.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { docker, hasImage, must } from '../test/containers/docker.ts';
import { setup } from '../test/containers/engine.ts';
import { ContainerEngine } from '../worker/launchers/container-engine.ts';
import { findPython } from '../worker/python-tools.ts';
import { buildImage } from '../worker/trainer-images.ts';
import { BenchHost } from './bench-host.ts';
import { epochEnds, secondsPerEpoch } from './epoch-times.ts';
import type { BenchResult } from './result.ts';
import { showResult } from './show-result.ts';
import { median, medianInterval, rounded } from './statistics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const [base, images] = ['epochal-bench-base', 'epochal-bench-{trainer}'];
const imageOf = (trainer: string) => images.replace('{trainer}', trainer);
/** The counting trainer is what a host of benchmarks warms up with. */
const trainers = { counter: 'test/trainers/counter.py', digits: 'trainers/digits/trainer.py' };

const [startPairs, speedPairs] = [12, 12];
/** Of the training that is timed: an epoch of about a second. */
const [epochs, wantedSeconds] = [8, 1];
const widths = [64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];
type Parameters = { hidden_layers: number[]; batch_size: number };
const parametersOf = (width: number): Parameters => ({ hidden_layers: [width, width], batch_size: 32 });

/** This machine's Python and C library: with others it is they that would be compared. */
async function makeBase(): Promise<void> {
  const { path } = await findPython();
  const { stdout } = await must(path, ['-c', 'import sys; print(sys.base_prefix)']);
  const prefix = stdout.trim().slice(1);
  const wanted = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'usr', 'etc/ssl', 'etc/alternatives', 'etc/ld.so.cache'];
  const all = prefix.startsWith('usr') ? wanted : [...wanted, prefix];
  const there = await Promise.all(
    all.map((name) =>
      stat(`/${name}`).then(
        () => [name],
        () => [],
      ),
    ),
  );
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-bench-image-'));
  try {
    const tar = join(scratch, 'root.tar');
    const left = ['usr/share', 'usr/src', 'usr/local/lib/node_modules', 'usr/lib/node_modules'];
    const excluded = left.map((name) => `--exclude=${name}`);
    // Of those that are places for others' files, the folder alone. Code 1: a file has changed meanwhile, of a machine that runs.
    const bare = ['--no-recursion', 'tmp', 'root', 'var'];
    const args = ['--create', '--file', tar, '--directory', '/', ...excluded, ...there.flat(), ...bare];
    await must('sh', ['-c', 'tar "$@" || [ $? -eq 1 ]', 'tar', ...args]);
    const environment = `ENV PATH=/${prefix}/bin:/usr/local/bin:/usr/bin:/bin`;
    await docker(['import', '--change', environment, tar, base]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function makeImages(): Promise<void> {
  if (!(await hasImage(base))) await makeBase();
  const engine = new ContainerEngine('docker');
  for (const [name, file] of Object.entries(trainers)) {
    const program = { name, file: join(root, file) };
    if (!(await hasImage(imageOf(name)))) await buildImage({ engine, program, base, tag: imageOf(name) });
  }
}

/** Seconds from the request for a run to the end of its first epoch, which takes next to none. */
async function startUp(host: BenchHost): Promise<number> {
  const at = Date.now();
  const run = await host.train({ trainer: 'digits', epochs: 1, parameters: parametersOf(16) });
  const { outputFolder } = await run.result();
  const [end = Number.NaN] = await epochEnds(join(outputFolder ?? '', 'metrics.jsonl'));
  return (end - at) / 1000;
}

async function epoch(host: BenchHost, parameters: Parameters, count = epochs): Promise<number> {
  const { outputFolder } = await (await host.train({ trainer: 'digits', epochs: count, parameters })).result();
  return secondsPerEpoch(join(outputFolder ?? '', 'metrics.jsonl'));
}

interface Pair {
  plain: number;
  contained: number;
}

/** The order alternates, so that a machine that gets slower or faster favours neither. */
async function inPairs(
  what: string,
  count: number,
  hosts: readonly [plain: BenchHost, contained: BenchHost],
  measure: (host: BenchHost) => Promise<number>,
): Promise<Pair[]> {
  const [plainHost, containedHost] = hosts;
  const pairs: Pair[] = [];
  for (let index = 0; index < count; index++) {
    const first = index % 2 === 0 ? await measure(plainHost) : null;
    const contained = await measure(containedHost);
    const plain = first ?? (await measure(plainHost));
    pairs.push({ plain, contained });
    process.stderr.write(
      `  ${what}, pair ${index + 1} of ${count}: ${contained.toFixed(3)} s, and ${plain.toFixed(3)} s as a process\n`,
    );
  }
  return pairs;
}

function row(
  what: string,
  pairs: readonly Pair[],
  compare: (pair: Pair) => number,
  target: string,
): BenchResult['rows'][number] {
  const compared = pairs.map(compare);
  const [low, high] = medianInterval(compared);
  const middle = (values: number[]) => rounded(median(values));
  return [
    ...[what, pairs.length, middle(pairs.map(({ plain }) => plain)), middle(pairs.map(({ contained }) => contained))],
    ...[middle(compared), `${rounded(low)} to ${rounded(high)}`, target],
  ];
}

async function calibrated(host: BenchHost): Promise<Parameters> {
  for (const width of widths) {
    if ((await epoch(host, parametersOf(width), 3)) >= wantedSeconds * 0.7) return parametersOf(width);
  }
  return parametersOf(widths.at(-1) ?? 4096);
}

async function measured(): Promise<BenchResult> {
  const hosts: BenchHost[] = [];
  try {
    const plain = await BenchHost.start(1);
    hosts.push(plain);
    const contained = await BenchHost.start(1, {
      ...{ EPOCHAL_LAUNCHER: 'container', EPOCHAL_CONTAINER_IMAGE: images, EPOCHAL_CONTAINER_SHM_GB: '1' },
    });
    hosts.push(contained);
    // Bytecode and page caches are warm on both sides before anything is measured.
    for (const host of hosts) await startUp(host);
    const parameters = await calibrated(plain);
    const both = [plain, contained] as const;
    const starts = await inPairs('start-up', startPairs, both, startUp);
    const speeds = await inPairs('an epoch', speedPairs, both, (host) => epoch(host, parameters));
    return {
      title: 'A session in a container, and as a process',
      about: `Digits, with the same Python, packages and C library on both sides, in pairs whose order alternates. Start-up is from the request for a run to the end of its first epoch, which takes next to nothing; of the speed, an epoch is the mean of ${epochs - 1}. The interval is that of the median, at 95 %.`,
      columns: ['what', 'pairs', 'process (s)', 'container (s)', 'compared, median', '95 % interval', 'target'],
      rows: [
        row('start-up: container − process (s)', starts, (one) => one.contained - one.plain, '≤ 1.5'),
        row('training: container ÷ process', speeds, (one) => one.contained / one.plain, '≤ 1.01'),
      ],
    };
  } finally {
    for (const host of hosts) await host.stop();
  }
}

const stopEngine = await setup();
try {
  await makeImages();
  const result = await measured();
  await showResult(result, 'containers', { write: process.argv.includes('--write') });
  process.stdout.write(`${JSON.stringify({ cores: availableParallelism(), results: { containers: result } })}\n`);
} finally {
  for (const image of [...Object.keys(trainers).map(imageOf), base])
    await docker(['image', 'rm', '--force', image]).catch(() => undefined);
  await stopEngine();
}
