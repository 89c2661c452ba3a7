/** The program of a tracker: asked by lines, started again where it has ended, and gone with its worker. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TrackerProgram } from '../../worker/tracker-program.ts';
import { until } from '../support/until.ts';

const trackers = fileURLToPath(new URL('../../observers/trackers', import.meta.url));
/** On what all trackers have in common. `MODE` is what its answer is; the file `began` has a line for each time that it began. */
const source = `
import os, pathlib, sys
sys.path.insert(0, ${JSON.stringify(trackers)})
import tracker

class Mine:
    def check(self, experiment):
        mode = pathlib.Path("mode").read_text()
        print("a client prints what it likes")
        if mode == "refuse":
            raise tracker.Refused("no entry for " + os.environ["MY_TOKEN"])
        if mode == "fail":
            raise RuntimeError("unavailable, with " + os.environ["MY_TOKEN"])
        if mode == "die":
            sys.stderr.write("out of luck, " + os.environ["MY_TOKEN"])
            sys.stderr.flush()
            os._exit(3)

with open("began", "a") as began:
    began.write(f"{os.getpid()}\\n")
tracker.serve(Mine)
pathlib.Path("ended").write_text("")
`;

let folder: string;
let program: TrackerProgram;
const signal = new AbortController().signal;
const ask = async (mode: string) => {
  await writeFile(join(folder, 'mode'), mode);
  return program.ask({ do: 'check', experiment: 'e' }, signal);
};
const pids = async () => (await readFile(join(folder, 'began'), 'utf8')).split('\n').filter(Boolean).map(Number);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-tracker-'));
  await writeFile(join(folder, 'mine.py'), source);
  program = new TrackerProgram({ file: join(folder, 'mine.py'), environment: { MY_TOKEN: 'of-nobody' } });
});
afterAll(async () => {
  program.close();
  await rm(folder, { recursive: true, force: true });
});

it('says what it is answered, without a secret', async () => {
  await ask('take');
  await expect(ask('refuse')).rejects.toMatchObject({ name: 'TrackerRefused', message: 'no entry for ***' });
  await expect(ask('fail')).rejects.toThrow('RuntimeError: unavailable, with ***');
  expect(await pids()).toHaveLength(1);
});

it('is started again after it has ended on its own', async () => {
  const before = await pids();
  await expect(ask('die')).rejects.toThrow(/^the tracker's program has ended: 3 [\s\S]*out of luck, \*\*\*$/);
  await ask('take');
  expect(await pids()).toHaveLength(before.length + 1);
});

it('ends when it is closed, and is there for whoever asks after that', async () => {
  await ask('take');
  program.close();
  await until('it ends', () =>
    readFile(join(folder, 'ended'), 'utf8').then(
      () => true,
      () => false,
    ),
  );
  await ask('take');
});

it('asks nothing for whoever has gone', async () => {
  const before = await pids();
  await expect(program.ask({ do: 'check', experiment: 'e' }, AbortSignal.abort(new Error('gone')))).rejects.toThrow(
    'gone',
  );
  expect(await pids()).toEqual(before);
});
