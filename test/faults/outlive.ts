/**
 * `npm run outlive -- --minutes M --times N --seed S`: on each of two hosts a training of about M minutes, whose worker is killed N times and
 * hands over N times, the next worker being started each time. Prints what each training came to; ends with code 1 when a batch was
 * wasted, a trainer was started again, or the weights are not those of a training that nobody disturbed.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readStamps } from '../../bench/stamps.ts';
import { handOverSignal } from '../../worker/worker-lock.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';
import { FaultServer } from './fault-server.ts';
import { SeededRandom } from './seeded-random.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    times: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const [minutes = 0, times = 0, seed = 0] = [values.minutes, values.times, values.seed].map(Number);
if (!(minutes > 0 && times >= 0 && Number.isInteger(times) && Number.isInteger(seed))) {
  throw new Error('--minutes, --times and --seed must be numbers');
}

const batchSeconds = 0.1;
const batches = 50;
const epochs = Math.max(2, Math.ceil((minutes * 60) / (batches * batchSeconds)));

const print = (line: string) => process.stdout.write(`${line}\n`);
const server = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-outlive-server-')));
const hosts = await FaultHosts.open(server.address);

interface Disturbed {
  host: string;
  kills: number;
  handOvers: number;
  violations: string[];
}

/** Both kinds in turn, each somewhere in its part of the training. */
async function disturb(index: number): Promise<Disturbed> {
  const random = new SeededRandom(seed + index);
  const pool = `${hosts.pool}-${index}`;
  const worker = await hosts.worker({ env: { EPOCHAL_POOL: pool } });
  const stamps = join(hosts.folder, `stamps-${index}`);
  const parameters = { batches, batch_seconds: batchSeconds, stamps };
  const run = await hosts.start({ epochs, pool, parameters, seed: index, deadlines: { heartbeatSeconds: 15 } });
  await run.reaches(1, 1);
  const all = epochs * batches;
  const moments = Array.from(
    { length: 2 * times },
    (_, part) => ((part + random.next() * 0.8) / (2 * times)) * all * 0.95,
  );
  let [kills, handOvers] = [0, 0];
  for (const [part, moment] of moments.entries()) {
    while ((await readStamps(stamps)).length < moment) await delay(200);
    if (part % 2 === 0) {
      await worker.kill();
      kills++;
    } else {
      await handOver(worker);
      handOvers++;
    }
    await worker.start();
    print(
      `host ${index + 1}: ${part % 2 === 0 ? 'killed' : 'handed over'} at batch ${Math.round(moment)} of ${all}, and back`,
    );
  }
  const { receipt, violations } = await checkLanded(run, minutes * 120 + 600);
  const trainers = new Set((await readStamps(stamps)).map(({ pid }) => pid)).size;
  const { wasted, trained } = receipt.batches;
  const restarts = receipt.restarts.length;
  print(
    `host ${index + 1}: ${receipt.outcome}, ${trained} batches, ${wasted} wasted, ${restarts} restarts, ${trainers} trainer processes`,
  );
  if (receipt.outcome !== 'completed') violations.push(`outcome ${receipt.outcome}: ${JSON.stringify(receipt.cause)}`);
  if (wasted !== 0) violations.push(`${wasted} batches wasted`);
  if (restarts !== 0) violations.push(`restarts: ${JSON.stringify(receipt.restarts)}`);
  if (trainers !== 1) violations.push(`${trainers} trainer processes`);
  return { host: worker.host, kills, handOvers, violations };
}

async function handOver(worker: FaultWorker): Promise<void> {
  worker.signal(handOverSignal);
  const code = await worker.exited;
  if (code !== 0) throw new Error(`a worker that handed over ended with ${code}`);
}

let violations = 0;
try {
  for (const one of await Promise.all([0, 1].map(disturb))) {
    print(
      `${one.host}: killed ${one.kills} times, handed over ${one.handOvers} times, ${one.violations.length} violations`,
    );
    for (const violation of one.violations) print(`  VIOLATION ${violation}`);
    violations += one.violations.length;
  }
} finally {
  await hosts.close();
  await server.stop();
}
process.exit(violations > 0 ? 1 : 0);
