/** The example of a tracker of one's own, as the program that it is, named by a worker's environment and a run's configuration. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { readSettings } from '../../worker/settings.ts';
import { Trackers } from '../../worker/trackers.ts';
import { observedRun } from '../support/observed-run.ts';
import { life, row, storeWith, tell } from '../support/told-run.ts';

const example = fileURLToPath(new URL('../../observers/trackers/examples/lines_tracker.py', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-example-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('is told of a run: without what is marked, its lines are the run’s epochs', async () => {
  const env = { EPOCHAL_TRACKER_FILES: example, LINES_FOLDER: join(folder, 'lines'), OTHER: 'hidden' };
  const trackers = new Trackers({ defaults: ['lines'], env });
  try {
    const config = trackers.settled(runConfigSchema.parse({ trainer: 't', epochs: 3 }));
    expect(config.trackers).toEqual([{ other: { name: 'lines' } }]);
    const [lines] = trackers.chosen(config);
    if (!lines) throw new Error('it was not chosen');
    expect(await trackers.ask(lines, 'p', new AbortController().signal)).toEqual({ kind: 'takes' });
    const final = [row(1, 1), row(2, 12)];
    const output = await storeWith(folder, 'r', final);
    const run = observedRun('r', { config, output: () => Promise.resolve(output) });
    const events = life('r');
    const parts = [
      [events.state(), events.epoch(row(1, 1)), events.epoch(row(2, 2))],
      [events.epoch(row(2, 12)), events.ended(2, 'completed')],
    ];
    for (const part of [...parts, ...parts]) expect(await tell(trackers.get(lines), part, run)).toBe(part.at(-1)?.seq);
    const [file, ...others] = await readdir(join(folder, 'lines'));
    expect(others).toEqual([]);
    const text = await readFile(join(folder, 'lines', file ?? ''), 'utf8');
    const told = text.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []));
    const marked = told.filter((one) => 'rolled_back' in one).map(({ epoch, at }) => `${epoch}/${at}`);
    const rows = told.filter((one) => 'metrics' in one && !marked.includes(`${one.epoch}/${one.at}`));
    expect(rows).toEqual(final.map(({ epoch, at, metrics }) => ({ epoch, at: Date.parse(at), metrics })));
    expect(marked).toHaveLength(1);
    expect(told.find((one) => 'ended' in one).ended).toMatchObject({ outcome: 'completed' });
  } finally {
    trackers.close();
  }
});

it('is named by an absolute path, whose name is no other tracker’s', () => {
  const read = (files: string) =>
    readSettings({ EPOCHAL_DATA_DIR: '/data', EPOCHAL_TRACKER_FILES: files, EPOCHAL_TRACKERS: 'lines' }).trackers;
  expect(read(` ${example}, /etc/comet_tracker.py`)).toEqual(['lines']);
  for (const wrong of ['lines_tracker.py', '/etc/lines.py', '/etc/mlflow_tracker.py', '/etc/My_tracker.py'])
    expect(() => read(wrong)).toThrow(`EPOCHAL_TRACKER_FILES names "${wrong}": must be absolute paths of files`);
  expect(() => read('/etc/comet_tracker.py')).toThrow('EPOCHAL_TRACKERS names "lines": must be mlflow, wandb, comet');
  const unable = new Trackers({ defaults: [], env: { EPOCHAL_TRACKER_FILES: '/nowhere/comet_tracker.py' } });
  expect(unable.problem('comet')).toBe('there is no file /nowhere/comet_tracker.py');
  expect(unable.problem('lines')).toBe('EPOCHAL_TRACKER_FILES names no lines_tracker.py');
});
