/** What a trainer had on its GPU is asked for when it has ended; the driver's tool is one that the test answers for. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { processGone } from '../../worker/process-groups.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

const idleMebibytes = 120;

const used = (mebibytes: number) => writeFile(join(hosts.folder, 'used'), String(mebibytes));

async function workerWithGpu(slots: number): Promise<FaultWorker> {
  const programs = join(hosts.folder, 'programs');
  await mkdir(programs);
  await used(idleMebibytes);
  const tool = join(programs, 'nvidia-smi');
  await writeFile(tool, `#!/bin/sh\necho "0, Test GPU, 16384, $(cat ${join(hosts.folder, 'used')})"\n`);
  await chmod(tool, 0o755);
  return hosts.worker({ slots, env: { PATH: `${programs}:${process.env.PATH}` } });
}

async function trained(worker: FaultWorker, afterwards: number) {
  const run = await hosts.start({ epochs: 50, parameters: { batches: 40, batch_seconds: 0.05 } });
  await run.reaches(1, 3);
  const trainer = await run.trainer(worker);
  await used(9_000);
  await run.update('stop', { mode: 'batch' });
  await processGone(trainer, new AbortController().signal);
  await used(afterwards);
  return checkLanded(run);
}

describe('the memory of a GPU', () => {
  it('that the driver takes back after the end of the trainer is in the receipt as released', async () => {
    const { receipt, violations } = await trained(await workerWithGpu(1), idleMebibytes + 10);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true, gpuMemoryReleased: true });
  });

  it('that stays taken is told, and the run lands all the same', async () => {
    const { receipt, violations } = await trained(await workerWithGpu(1), 9_000);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true, gpuMemoryReleased: false });
  });

  it('that several slots share is nobody’s: the receipt claims nothing', async () => {
    const { receipt, violations } = await trained(await workerWithGpu(2), idleMebibytes);
    expect(violations).toEqual([]);
    expect(receipt.gpuMemoryReleased).toBeNull();
  });
});
