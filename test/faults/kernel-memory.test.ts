/** The kernel kills a trainer because memory ran out: its own cgroup has a limit, and a counter that tells. */
import { rmdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts } from './fault-host.ts';
import { can, limitedCgroup } from './machine-abilities.ts';

const limit = 1_800_000_000;

let hosts: FaultHosts;
let cgroup: string | null = null;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
  cgroup = can('cgroup') ? limitedCgroup(`epochal-${process.pid}`, limit) : null;
});
afterEach(async () => {
  await hosts?.close();
  const made = cgroup;
  if (made) await until('the cgroup is empty', () => isRemoved(made));
});

const isRemoved = (folder: string): boolean => {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
};

describe.skipIf(!can('cgroup'))('a trainer that the kernel kills out of memory', () => {
  it('is told apart from one that a person killed, and goes on with its batch in two parts', async () => {
    await hosts.worker({ prefix: ['sh', '-c', `echo $$ > ${cgroup}/cgroup.procs && exec "$@"`, 'sh'] });
    const run = await hosts.start({
      epochs: 3,
      parameters: { batches: 8, batch_seconds: 0.11, fail_at: '2:3', fail_kind: 'eat_memory' },
      failures: { restarts: 2, backoffSeconds: 0, maxBackoffSeconds: 0 },
    });
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', epochs: { trained: 3 }, batches: { wasted: 2 } });
    expect(receipt.restarts).toMatchObject([{ failure: { kind: 'outOfMemory', exit: { signal: 'SIGKILL' } } }]);
    expect(receipt.notes.join()).toMatch(/out of memory: from epoch 2 on each batch was computed in 2 parts/);
  });
});
