/**
 * Many hosts in one process, with simulated trainers and everything else as it is: `agents.ts FIRST COUNT SLOTS EPOCH_SECONDS`. Says `ready` to
 * the process that started it, and ends with it.
 */
import { join } from 'node:path';
import { pino } from 'pino';
import type { Launcher } from '../../worker/launchers/launcher.ts';
import { startWorker } from '../../worker/main.ts';
import { readSettings } from '../../worker/settings.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

const [first = 0, count = 1, slots = 1, epochSeconds = 60] = process.argv.slice(2).map(Number);
const folder = process.env.EPOCHAL_BENCH_FOLDER ?? '';
/** What a page shows of an epoch. */
const batches = 60;

const launcher: Launcher = {
  start: async (_slot, launch) => {
    const trainer = new SimulatedTrainer(launch, { epochSeconds, batches });
    await trainer.start();
    return trainer;
  },
  find: () => {
    throw new Error('a simulated trainer ends with its process');
  },
};

process.once('disconnect', () => process.exit(1));
const settings = readSettings();
const log = pino({ level: process.env.LOG_LEVEL ?? 'warn' }, pino.destination(2));
for (let index = first; index < first + count; index += 1) {
  await startWorker({
    settings: { ...settings, slots, dataFolder: join(folder, 'hosts', String(index)) },
    log,
    temporal: { address: process.env.TEMPORAL_ADDRESS ?? '', namespace: 'default' },
    launcher,
  });
}
process.send?.('ready');
