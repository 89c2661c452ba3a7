/** `epochal train`, `validate`, drafts, and what failed runs leave on their host. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { WatchItem } from '../../client/watch.ts';
import type { DataReport } from '../../contracts/data-report.ts';
import { receiptSchema } from '../../contracts/receipt.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { ensureEnvironment } from '../../worker/python-environments.ts';
import { CommandLine, newRun } from '../support/command-line.ts';

const makeShapes = fileURLToPath(new URL('../../trainers/examples/make_shapes.py', import.meta.url));

let line: CommandLine;
beforeAll(async () => {
  line = await CommandLine.start({ slots: 3 });
});
afterAll(() => line?.stop());

// Every command is a process that starts anew, which on a busy machine takes its time.
vi.setConfig({ testTimeout: 600_000 });

describe('epochal train', () => {
  it('--wait prints a line an epoch and the receipt, and ends with 0', async () => {
    const run = newRun('waits');
    const file = await line.config({ epochs: 5 });
    const { code, stdout, stderr } = await line.epochal(
      'train',
      file,
      '--wait',
      '--run',
      run,
      '--set',
      'epochs=2',
      '--set',
      'parameters.batches=30',
      '--set',
      'parameters.batch_seconds=0.05',
    );
    // Before it, where the check took its time, what the worker was doing.
    expect(stderr.trim().split('\n').at(-1)).toBe(
      `run ${run} → ${line.host.settings.store}/experiments/default/${run}`,
    );
    expect(stdout).toMatch(/epoch 2 of 2: .*score/);
    expect(stdout).toMatch(/^completed {2}all epochs are trained$/m);
    expect(stdout).toContain(`${line.host.settings.store}/experiments/default/${run}`);
    expect(code).toBe(0);
    // The id is taken now, and its results are there.
    const again = await line.epochal('train', file, '--run', run);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toMatch(new RegExp(`^epochal: run is "${run}": must be new: `, 'm'));
  });

  it('--wait --json prints JSON lines alone, and ends with 3 for a failed run', async () => {
    const file = await line.config({ parameters: { fail_at: '1:1', fail_times: 0 }, failures: { restarts: 0 } });
    const run = newRun('fails');
    const { code, stdout } = await line.epochal('train', file, '--wait', '--json', '--run', run);
    const items = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as WatchItem);
    expect(items.at(-1)).toMatchObject({ kind: 'end', receipt: { outcome: 'failed' } });
    expect(code).toBe(3);
    const kept = await line.json<{ folders: { run: string; path: string }[] }[]>(
      'folders',
      'ls',
      '--pool',
      line.host.settings.pool,
    );
    const path = kept[0]?.folders.find((one) => one.run === run)?.path ?? '';
    expect(existsSync(path)).toBe(true);
    const table = await line.epochal('folders', 'ls', '--pool', line.host.settings.pool);
    expect(table.stdout).toContain(path);
    const removed = await line.epochal('folders', 'rm', run, '--pool', line.host.settings.pool, '--force');
    expect(removed).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(`^removed ${path} on ${line.host.worker.host.id}, `),
    });
    expect(existsSync(path)).toBe(false);
    const gone = await line.epochal('folders', 'rm', run, '--pool', line.host.settings.pool);
    expect(gone).toMatchObject({
      code: 2,
      stderr: `epochal: run is "${run}": no host of pool ${line.host.settings.pool} keeps a folder of it\n`,
    });
  });

  it('folders publish publishes what a host kept, and its folder goes', async () => {
    const file = await line.config({ parameters: { fail_at: '2:1', fail_times: 0 }, failures: { restarts: 0 } });
    const run = newRun('kept');
    expect(await line.epochal('train', file, '--wait', '--run', run)).toMatchObject({ code: 3 });
    const path = join(line.host.settings.dataFolder, 'runs', run);
    await writeFile(join(path, 'artifacts', 'added-by-hand.txt'), 'looked into');
    const published = await line.epochal('folders', 'publish', run, '--pool', line.host.settings.pool);
    const output = join(line.host.settings.store, 'experiments', 'default', run);
    expect(published).toMatchObject({ code: 0, stdout: expect.stringMatching(`^published .* in ${output}\n$`) });
    expect(existsSync(path)).toBe(false);
    const receipt = receiptSchema.parse(JSON.parse(await readFile(join(output, 'receipt.json'), 'utf8')));
    expect(receipt).toMatchObject({ outcome: 'failed', cause: { failure: { kind: 'trainerError' } } });
    expect(receipt.files.map((one) => one.path)).toContain('artifacts/added-by-hand.txt');
    expect(receipt.localFolder).toEqual({ kind: 'removed' });
    const gone = await line.epochal('folders', 'publish', run, '--pool', line.host.settings.pool);
    expect(gone.stderr).toMatch(new RegExp(`^epochal: run is "${run}": no host of pool .* keeps a folder of it\n$`));
  });

  it('refuses bad input with one sentence a problem, exit code 2, and no stack', async () => {
    const bad = await line.config({ epochs: 0, epochz: 1 });
    const refused = await line.epochal('train', bad);
    expect(refused).toEqual({
      code: 2,
      stdout: '',
      stderr: 'epochal: epochs is 0: must be at least 1\nepochal: epochz is 1: unknown field; did you mean epochs?\n',
    });
    const syntax = join(line.folder, 'syntax.yaml');
    await writeFile(syntax, 'trainer: counter\nepochs: [1\n');
    const broken = await line.epochal('train', syntax);
    expect(broken).toMatchObject({ code: 2, stdout: '' });
    expect(broken.stderr).toMatch(/^epochal: .*syntax\.yaml cannot be read as YAML in line \d+, column \d+: [^\n]*\n$/);
    const invalid = await line.epochal('validate', await line.config({ parameters: { batches: -1 } }), '--json');
    expect(invalid.code).toBe(2);
    expect(JSON.parse(invalid.stdout)).toMatchObject({
      ok: false,
      problems: [{ field: 'parameters.batches', value: '-1' }],
    });
  });

  it('validate tells what the data set holds, and looks at every image where that is asked', async () => {
    const data = join(line.folder, 'shapes');
    const { python } = await ensureEnvironment({ requirements: ['numpy==2.4.6', 'pillow==13.0.0', 'PyYAML==6.0.3'] });
    execFileSync(python, [makeShapes, '--format', 'yolo', '--count', '12', '--size', '64', data]);
    const [first = '', second = ''] = await readdir(join(data, 'images', 'train'));
    await copyFile(join(data, 'images', 'train', first), join(data, 'images', 'val', 'same.png'));
    const file = await line.config({ trainer: 'looker', data });
    const shown = await line.epochal('validate', file);
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.stdout).toMatch(/^split +by folder: train 9 images with 18 objects; val 4 images/m);
    expect(shown.stdout).toMatch(/^decoded +not checked\nduplicates +not checked$/m);
    // What the worker is doing is told on stderr where it takes longer than a moment.
    const deep: { dataReport: DataReport } = JSON.parse(
      (await line.epochal('validate', file, '--deep', '--json')).stdout,
    );
    expect(deep.dataReport).toMatchObject({
      decoded: { images: 13, failed: 0 },
      duplicates: { images: 1, acrossSplits: 1 },
      findings: expect.arrayContaining([expect.objectContaining({ kind: 'duplicate across splits', count: 1 })]),
    });
    await writeFile(join(data, 'images', 'train', second), 'no image');
    const refused = await line.epochal('validate', file);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toMatch(new RegExp(`left out  unreadable image: 1\\n  .*${second}`));
    const told: { ok: boolean; dataReport: DataReport } = JSON.parse(
      (await line.epochal('validate', file, '--json')).stdout,
    );
    expect(told).toMatchObject({ ok: false, dataReport: { images: 12, splitSha256: null } });
  });

  it('a draft is configured and begun', async () => {
    const run = newRun('draft');
    const started = await line.json<{ run: string }>(
      'train',
      await line.config({ epochs: 1 }),
      '--draft',
      '--run',
      run,
    );
    expect(started.run).toBe(run);
    const changed = await line.json<RunView>('configure', run, '--set', 'epochs=2');
    expect(changed.config.epochs).toBe(2);
    const nothing = await line.epochal('configure', run);
    expect(nothing).toMatchObject({
      code: 2,
      stderr: 'epochal: nothing to change: give a YAML file or --set field=value\n',
    });
    const begun = await line.epochal('begin', run, '--wait');
    expect(begun.stdout).toMatch(/^completed/m);
    expect(begun.code).toBe(0);
  });
});
