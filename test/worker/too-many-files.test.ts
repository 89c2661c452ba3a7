/** A worker that has as many files open as it may have cannot start programs, and goes on without them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('programs are not started then, and their answers are missing', () => {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { GpuReadings } from './worker/system/gpu-readings.ts';
    import { runProgram } from './worker/run-program.ts';
    const open = [];
    try {
      for (;;) open.push(openSync('/dev/null'));
    } catch {}
    const gpus = new GpuReadings(['true']).watch([0], AbortSignal.timeout(60_000));
    const during = await runProgram('true', []);
    for (const file of open) closeSync(file);
    const after = await runProgram('echo', ['started']);
    console.log(JSON.stringify({ gpus: gpus(), code: during.code, tail: during.tail, after: after.stdout }));
    process.exit();
  `;
  const command = 'ulimit -n 128; exec "$0" --import tsx --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
  });
  expect(stdout, stderr).not.toBe('');
  expect(JSON.parse(stdout)).toEqual({
    gpus: [],
    code: null,
    tail: expect.stringContaining('EMFILE'),
    after: 'started',
  });
});
