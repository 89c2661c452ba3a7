/**
 * `npm run bench:peers [-- --write]`: the same digits training in a bare loop, under Lightning, under Ray Train and under Epochal, each as
 * its own documentation says, with the same faults. Nobody asks a bare loop or Lightning to start again: here a script does, at once.
 */
import { availableParallelism } from 'node:os';
import { allPeers, batchesPerEpoch, epochs, type Peer, type Training } from './peers/peer.ts';
import type { BenchResult } from './result.ts';
import { showResult } from './show-result.ts';
import type { Stamp } from './stamps.ts';
import { median, rounded } from './statistics.ts';

const rounds = 3;
/** Batches after which the training process is killed, and those that a person would call the middle of an epoch. */
const killsAt = [0.6, 1.9, 3.4].map((part) => Math.round(part * batchesPerEpoch));
const midEpoch = Math.round(2.5 * batchesPerEpoch);

interface Undisturbed {
  /** Seconds from its start to its first batch, from there to its last, and in all. */
  startUp: number;
  loop: number;
  total: number;
  weights: string;
}

async function undisturbed(peer: Peer): Promise<Undisturbed> {
  const began = Date.now();
  const training = await peer.start();
  await training.ended;
  const [total, stamps, weights] = [(Date.now() - began) / 1000, await training.stamps(), await training.weights()];
  const [first, last] = [stamps[0], stamps.at(-1)];
  if (!first || !last || weights === null || repeated(stamps) > 0)
    throw new Error(`${peer.name} did not train as it should`);
  return { startUp: (first.at - began) / 1000, loop: (last.at - first.at) / 1000, total, weights };
}

const repeated = (stamps: readonly Stamp[]): number => stamps.length - new Set(stamps.map(({ batch }) => batch)).size;

/** Seconds until another process trains. */
async function recovery(training: Training, harm: () => Promise<void> | void): Promise<number> {
  const known = new Set((await training.stamps()).map(({ pid }) => pid));
  const at = Date.now();
  await harm();
  return ((await training.next(known)) - at) / 1000;
}

interface Harmed {
  /** Of each fault, in seconds; none where nothing trained again. */
  recoveries: number[];
  /** How it ended, by its weights. */
  ended: string;
  batches: string;
}

async function outcome(training: Training, weights: string, recoveries: number[]): Promise<Harmed> {
  await training.ended;
  const [reached, stamps] = [await training.weights(), await training.stamps()];
  const count = new Set(stamps.map(({ batch }) => batch)).size;
  const ended = reached === null ? 'did not end' : reached === weights ? 'same weights' : 'other weights';
  const lost = count < epochs * batchesPerEpoch ? `${repeated(stamps)}, ended after ${count}` : `${repeated(stamps)}`;
  return { recoveries, ended, batches: lost };
}

const faults: [string, (peer: Peer, weights: string) => Promise<Harmed>][] = [
  [
    `training process killed (kill -9) ${killsAt.length} times`,
    async (peer, weights) => {
      const training = await peer.start();
      const recoveries: number[] = [];
      for (const count of killsAt) {
        const pid = await training.reached(count);
        recoveries.push(await recovery(training, () => void process.kill(pid, 'SIGKILL')));
      }
      return outcome(training, weights, recoveries);
    },
  ],
  [
    'SIGTERM to the training process',
    async (peer, weights) => {
      const training = await peer.start();
      const pid = await training.reached(midEpoch);
      return outcome(training, weights, [
        await recovery(training, () => void process.kill(pid, 'SIGTERM')).catch(() => Number.NaN),
      ]);
    },
  ],
  [
    'newest checkpoint damaged, then killed',
    async (peer, weights) => {
      const training = await peer.start();
      const pid = await training.reached(midEpoch);
      const seconds = await recovery(training, async () => {
        process.kill(pid, 'SIGSTOP');
        await training.damage();
        process.kill(pid, 'SIGKILL');
      }).catch(() => Number.NaN);
      return outcome(training, weights, [seconds]);
    },
  ],
  [
    'ended in the midst of an epoch, and started again',
    async (peer, weights) => {
      const training = await peer.start();
      await training.reached(midEpoch);
      const known = new Set((await training.stamps()).map(({ pid }) => pid));
      const again = await training.endAndContinue();
      const at = Date.now();
      return outcome(again, weights, [((await again.next(known)) - at) / 1000]);
    },
  ],
];

const write = process.argv.includes('--write');
const peers = await allPeers();
const speed: BenchResult = {
  title: 'The same training, undisturbed',
  about: `Digits in a small convolutional network, ${epochs} epochs of ${batchesPerEpoch} batches that wait 20 ms each, a checkpoint an epoch; medians of ${rounds}, interleaved. The loop is from the first batch to the last; its ratio is to the bare loop of the same round.`,
  columns: ['trained by', 'start-up (s)', 'loop (s)', 'loop ÷ bare', 'in all (s)', 'in all ÷ bare'],
  rows: [],
};
const disturbed: BenchResult = {
  title: 'The same training, with the same faults',
  about: `Of ${epochs * batchesPerEpoch} batches. Recovery is from the fault to the end of the next trained batch; weights are compared with the undisturbed training of the same peer.`,
  columns: ['fault', 'trained by', 'batches repeated', 'recovery, median (s)', 'it ended with'],
  rows: [],
};
try {
  const all = new Map(peers.map((peer) => [peer, [] as Undisturbed[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [peer, measured] of all) {
      measured.push(await undisturbed(peer));
      process.stderr.write(`  ${peer.name}: ${JSON.stringify(measured.at(-1))}\n`);
    }
  }
  const [bare = []] = all.values();
  const middle = (numbers: number[]) => rounded(median(numbers), 2);
  for (const [peer, measured] of all) {
    const ratio = (part: 'loop' | 'total') =>
      rounded(median(measured.map((one, index) => one[part] / (bare[index]?.[part] ?? Number.NaN))));
    const of = (part: 'startUp' | 'loop' | 'total') => middle(measured.map((one) => one[part]));
    speed.rows.push([peer.name, of('startUp'), of('loop'), ratio('loop'), of('total'), ratio('total')]);
  }
  await showResult(speed, 'peers', { write });
  for (const [fault, harm] of faults) {
    for (const [peer, [first]] of all) {
      const { recoveries, ended, batches } = await harm(peer, first?.weights ?? '');
      process.stderr.write(`  ${fault}, ${peer.name}: ${batches}; ${recoveries.join(', ')}; ${ended}\n`);
      const seconds = median(recoveries);
      disturbed.rows.push([fault, peer.name, batches, Number.isNaN(seconds) ? '–' : rounded(seconds, 2), ended]);
    }
  }
  await showResult(disturbed, 'peers-faults', { write });
} finally {
  for (const peer of peers) await peer.close();
}
process.stdout.write(`${JSON.stringify({ cores: availableParallelism(), results: { peers: speed, disturbed } })}\n`);
