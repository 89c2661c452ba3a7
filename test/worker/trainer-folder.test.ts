/** Where a trainer runs: what it writes by a relative path lands in its run, and nothing in the folder it is read from. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { processLauncher } from '../../worker/launchers/process.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { TrainerCatalog } from '../../worker/trainer-catalog.ts';

const trainer = `
import os, pathlib, sys
import epochal
from beside import word

class Parameters(epochal.Parameters):
    pass

trainer = epochal.Trainer(
    name="writer", title="Writer", description="Writes where it stands.", parameters=Parameters,
    metrics=[epochal.Metric("loss", "None")], best=("loss", "min"),
)
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out", "final.txt").write_text(word + pathlib.Path(__file__).parent.joinpath("words.txt").read_text())

if __name__ == "__main__" and sys.argv[1:] != ["train"]:
    epochal.main(trainer)
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-trainer-folder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('runs in the artifacts of its run, and is asked in a folder that goes; its own is left as it was', async () => {
  const own = join(folder, 'trainers', 'writer');
  await mkdir(own, { recursive: true });
  const files = { 'trainer.py': trainer, 'beside.py': 'word = "read "', 'words.txt': 'beside it' };
  for (const [file, text] of Object.entries(files)) await writeFile(join(own, file), text);
  const catalog = new TrainerCatalog([join(folder, 'trainers')]);
  const program = await catalog.find('writer');
  if (program === null) throw new Error('the trainer was not found');
  const python = await catalog.environment(program, {});
  expect((await catalog.describe(program)).name).toBe('writer');

  const run = await new RunFolders(folder).make('run');
  const limits = { stopSeconds: 60, terminateSeconds: 60, reattachSeconds: 60 };
  const started = await processLauncher.start(
    { index: 0 },
    {
      ...{ program, python, folder: run, session: 'one', socket: join(folder, 'socket'), limits },
      ...{ environment: {}, devices: { environment: {} } },
    },
  );
  const exit = await started.exited;
  started.dismiss();
  expect(exit, await readFile(run.trainerLog, 'utf8')).toMatchObject({ code: 0, signal: null });
  expect(await readFile(join(run.artifacts, 'out', 'final.txt'), 'utf8')).toBe('read beside it');
  expect((await readdir(own)).sort()).toEqual(Object.keys(files).sort());
});
