/** The wall clock of a host jumps, for its worker and its trainers: nothing may be measured by it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { checkLanded } from './check-landed.ts';
import { FaultHosts } from './fault-host.ts';
import { can, clockLibrary } from './machine-abilities.ts';

let hosts: FaultHosts;
beforeEach(async () => {
  hosts = await FaultHosts.open(inject('temporalAddress'));
});
afterEach(() => hosts?.close());

describe.skipIf(!can('clock'))('a clock', () => {
  it.each(['+3h', '-3h'])('that jumps by %s ends no session, and no epoch is told twice', async (jump) => {
    const file = join(hosts.folder, 'clock');
    await writeFile(file, '+0\n');
    // libfaketime refuses the sleep of Python 3.11 and later (clock_nanosleep, by the monotonic clock).
    await writeFile(
      join(hosts.folder, 'sitecustomize.py'),
      'import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds)\n',
    );
    const worker = await hosts.worker({
      env: {
        LD_PRELOAD: clockLibrary ?? '',
        PYTHONPATH: hosts.folder,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        EPOCHAL_TRAINER_ENV: 'FAKETIME*',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        // The same for programs that take the monotonic clock by another name.
        DONT_FAKE_MONOTONIC: '1',
      },
    });
    const hold = await hosts.hold('1:10');
    const run = await hosts.start({ epochs: 3, parameters: { batches: 40, batch_seconds: 0.05, ...hold.parameters } });
    await hold.reached();
    const trainer = await run.trainer(worker);
    await writeFile(file, `${jump}\n`);
    await hold.release();
    const { receipt, violations } = await checkLanded(run);
    expect(violations).toEqual([]);
    expect(receipt).toMatchObject({ outcome: 'completed', batches: { trained: 120, wasted: 0 }, restarts: [] });
    expect(run.trainers).toEqual([trainer]);
  });
});
