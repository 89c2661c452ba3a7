/** `epochal` on what runs came to: ls, compare, logs, cp; and what a run waits for. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { claimFile } from '../../contracts/life.ts';
import { trainingRunType } from '../../contracts/run-messages.ts';
import { salvageId } from '../../contracts/salvage-messages.ts';
import { tellLaterId } from '../../contracts/tell-later.ts';
import { CommandLine, newRun } from '../support/command-line.ts';
import { until } from '../support/until.ts';

let line: CommandLine;
const project = newRun('results');
const [few, many] = [newRun('few'), newRun('many')];
beforeAll(async () => {
  line = await CommandLine.start({ slots: 1 });
  const train = async (run: string, batches: number) => {
    const file = await line.config({ project, epochs: 2, parameters: { batches, print_noise: true } });
    expect(await line.here('train', file, '--run', run, '--wait')).toMatchObject({ code: 0 });
  };
  await train(few, 3);
  await train(many, 4);
}, 600_000);
afterAll(() => line?.stop());

vi.setConfig({ testTimeout: 600_000 });

it('runs are searched, sorted and shown by a parameter and a metric', async () => {
  const list = (...args: string[]) => line.here('ls', '--project', project, ...args);
  await until(
    'both are listed',
    async () => JSON.parse((await list('--outcome', 'completed', '--json')).stdout).length === 2,
  );
  const found = await list('--where', 'batches > 3', '--where', 'loss < 1', '--json');
  expect(JSON.parse(found.stdout)).toMatchObject([{ run: many, fields: { 'parameters.batches': 4 } }]);
  const sorted = await list('--sort', '-batches', '--columns', 'run,batches,metrics.loss');
  expect(sorted.stdout).toMatch(new RegExp(`^run +batches +metrics\\.loss\n${many} +4 +\\S+\n${few} +3 +\\S+\n$`));
  expect(await list('--sort', 'nothing')).toMatchObject({ code: 2, stdout: '' });
});

it('compare shows what came of runs, and the fields that differ', async () => {
  const { stdout } = await line.here('compare', few, many);
  expect(stdout).toMatch(new RegExp(`^ +${few} +${many}$`, 'm'));
  expect(stdout).toMatch(/^state +completed +completed$/m);
  expect(stdout).toMatch(/^last loss +\S+ +\S+$/m);
  expect(stdout).toMatch(/^parameters\.batches +3 +4$/m);
  expect(stdout).not.toMatch(/^trainer|^storeIdentity/m);
  expect((await line.here('compare', few, few)).stderr).toBe(
    'epochal: compare needs from 2 to 20 different runs, and got 1\n',
  );
});

it('logs and cp find the files of a run by its id, and overwrite nothing', async () => {
  const output = join(line.host.settings.store, 'experiments', project, few);
  const log = await readFile(join(output, 'logs', 'trainer.log'), 'utf8');
  const { stdout } = await line.here('logs', few);
  expect(stdout.split('\n')).toHaveLength(log.split('\n').length);
  expect((await line.here('logs', few, '-n', '2')).stdout.split('\n')).toHaveLength(3);
  const to = join(line.folder, 'copies');
  await mkdir(to);
  const copied = await line.here('cp', `${few}:checkpoints/epoch-0002`, to);
  expect(copied.stderr).not.toContain('epochal:');
  expect(copied).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+ files, /) });
  expect(existsSync(join(to, 'epoch-0002', 'checkpoint.json'))).toBe(true);
  expect(await line.here('cp', `${few}:metrics.jsonl`, join(to, 'm.jsonl'))).toMatchObject({ code: 0 });
  expect(await readFile(join(to, 'm.jsonl'))).toEqual(await readFile(join(output, 'metrics.jsonl')));
  await writeFile(join(to, 'm.jsonl'), 'mine');
  const again = await line.here('cp', `${few}:metrics.jsonl`, join(to, 'm.jsonl'));
  expect(again).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/exists already: .* replace it with --force\n$/),
  });
  expect(await readFile(join(to, 'm.jsonl'), 'utf8')).toBe('mine');
  expect((await line.here('cp', `${few}:nothing`, to)).stderr).toBe(`epochal: "nothing" of run ${few} is not there\n`);
  expect((await line.here('cp', `${few}:../x`, to)).stderr).toMatch(/^epochal: source is ".*": must be <run>:<path>/);
  // What the store has is not what the run has published.
  await writeFile(join(output, 'metrics.jsonl'), 'changed');
  const changed = await line.here('cp', `${few}:metrics.jsonl`, join(to, 'changed.jsonl'));
  expect(changed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('does not have the sha256 that the run has recorded'),
  });
  expect(existsSync(join(to, 'changed.jsonl'))).toBe(false);
});

it('status and train say whom a run waits for; a log is followed to its end', async () => {
  const [first, second, third] = [newRun('first'), newRun('second'), newRun('third')];
  const slow = { batches: 200, batch_seconds: 0.02, print_noise: true };
  const file = await line.config({ project, epochs: 50, parameters: slow });
  await line.here('train', file, '--run', first);
  await line.trains(first);
  const followed = line.here('logs', first, '-f');
  const { pool } = line.host.settings;
  const told = await line.here('train', file, '--run', second);
  expect(told.stdout).toMatch(
    new RegExp(`^waiting +for a free slot in pool ${pool}, first in the queue; the slots are taken by ${first}$`, 'm'),
  );
  await line.here('train', file, '--run', third);
  await until('the queue is known', async () =>
    (await line.here('status', third)).stdout.includes(`in pool ${pool}, 1 run ahead of it: ${second}\n`),
  );
  for (const run of [third, second, first]) expect(await line.here('stop', run)).toMatchObject({ code: 0 });
  expect(await followed).toMatchObject({ code: 0, stdout: expect.stringContaining('to stderr') });
});

it('rm says what it removes, asks, and leaves the other runs', async () => {
  const output = join(line.host.settings.store, 'experiments', project);
  const unasked = await line.here('rm', many);
  expect(unasked).toMatchObject({ code: 2, stdout: '' });
  expect(unasked.stderr).toMatch(/^its results, which are nowhere else: .* with \d checkpoints, in /m);
  expect(unasked.stderr).toMatch(/^epochal: rm needs --yes where nobody can be asked: nothing was removed$/m);
  expect(existsSync(join(output, many, 'receipt.json'))).toBe(true);
  const { client } = line.host;
  // Nobody serves it: as one that has still to tell somebody, and a run that a person has called like a salvage.
  const [later, called] = await Promise.all(
    [tellLaterId(many), salvageId(many)].map((workflowId) =>
      client.workflow.start(trainingRunType, { workflowId, taskQueue: newRun('nobody'), args: [] }),
    ),
  );
  const claim = await readFile(join(output, many, claimFile), 'utf8');
  await writeFile(join(output, many, claimFile), claim.replaceAll(/[0-9a-f]{8}-/g, '00000000-'));
  expect(await line.here('rm', many, '--yes')).toMatchObject({ code: 1, stdout: '' });
  await writeFile(join(output, many, claimFile), claim);
  // It goes first: it would write there again.
  await until(
    'it tells nobody',
    () =>
      later?.describe().then(
        () => false,
        () => true,
      ) ?? false,
  );
  const removed = await line.here('rm', many, '--yes');
  expect(removed.stderr).not.toContain('epochal:');
  expect(removed).toMatchObject({ code: 0, stdout: `removed run ${many}\n` });
  expect(existsSync(join(output, many))).toBe(false);
  expect(existsSync(join(output, few, 'receipt.json'))).toBe(true);
  await until('the server has forgotten it', async () => (await line.here('status', many)).code === 2);
  expect(await line.here('status', few)).toMatchObject({ code: 0 });
  expect(await called?.describe()).toMatchObject({ status: { name: 'RUNNING' } });
  await called?.terminate();
});

it('rm refuses a run that is not over', async () => {
  const run = newRun('live');
  const parameters = { batches: 200, batch_seconds: 0.02 };
  await line.here('train', await line.config({ project, epochs: 50, parameters }), '--run', run);
  const refused = await line.here('rm', run, '--yes');
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(
    new RegExp(`^epochal: run ${run} is not over \\(.*\\): "epochal stop ${run}" ends it first\n$`),
  );
  await line.here('stop', run, '--mode', 'now');
});
