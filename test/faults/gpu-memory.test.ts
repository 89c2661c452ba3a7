/** What a trainer had on its GPU is asked for when it has ended; the driver's tool is one that the test answers for. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, type FaultWorker } from './fault-host.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

const idleMebibytes = 120;
const takenMebibytes = 9_000;

/** The driver's tool tells `taken` while the trainer of this number lives, and `left` when it has ended. */
async function workerWithGpu(slots: number, left: number): Promise<FaultWorker> {
  const programs = join(hosts.folder, 'programs');
  await mkdir(programs);
  const tool = join(programs, 'nvidia-smi');
  const pid = join(hosts.folder, 'trainer');
  await writeFile(
    tool,
    `#!/bin/sh
used=${idleMebibytes}
[ -e ${pid} ] && { kill -0 "$(cat ${pid})" 2>/dev/null && used=${takenMebibytes} || used=${left}; }
echo "0, Test GPU, 16384, $used"
`,
  );
  await chmod(tool, 0o755);
  return hosts.worker({ slots, env: { PATH: `${programs}:${process.env.PATH}` } });
}

async function trained(worker: FaultWorker) {
  const hold = await hosts.hold('1:4');
  const run = await hosts.start({ epochs: 50, parameters: { batches: 40, batch_seconds: 0.05, ...hold.parameters } });
  await hold.reached();
  const { pid } = await run.trainer(worker);
  await writeFile(join(hosts.folder, 'trainer'), String(pid));
  await run.update('stop', { mode: 'batch' });
  return checkLanded(run);
}

describe('the memory of a GPU', () => {
  it('that the driver takes back after the end of the trainer is in the receipt as released', async () => {
    const { receipt, violations } = await trained(await workerWithGpu(1, idleMebibytes + 10));
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true, gpuMemoryReleased: true });
    expect(receipt.batches).toMatchObject({ trained: 4, wasted: 0 });
  });

  it('that stays taken is told, and the run lands all the same', async () => {
    const { receipt, violations } = await trained(await workerWithGpu(1, takenMebibytes));
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'stopped', processGroupGone: true, gpuMemoryReleased: false });
    expect(receipt.batches).toMatchObject({ trained: 4, wasted: 0 });
  });

  it('that several slots share is nobody’s: the receipt claims nothing', async () => {
    const { receipt, violations } = await trained(await workerWithGpu(2, idleMebibytes));
    expect(violations).toEqual([]);
    expect(receipt.gpuMemoryReleased).toBeNull();
  });
});
