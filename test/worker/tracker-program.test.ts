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
import os, pathlib, sys, threading
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
        if mode == "hang":
            tracker.LONGEST_END = 0.1
            pathlib.Path("hangs").write_text("")
            threading.Event().wait()
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
const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-tracker-'));
  await writeFile(join(folder, 'mine.py'), source);
  program = new TrackerProgram({
    file: join(folder, 'mine.py'),
    environment: { MY_KEY: 'of-no', MY_TOKEN: 'of-nobody' },
  });
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

it('begins for all who ask, whoever of them goes', async () => {
  program.close();
  await writeFile(join(folder, 'mode'), 'take');
  const before = await pids();
  const first = new AbortController();
  const gone = program.ask({ do: 'check', experiment: 'e' }, first.signal);
  const stays = program.ask({ do: 'check', experiment: 'e' }, signal);
  first.abort(new Error('gone'));
  await expect(gone).rejects.toThrow('gone');
  await stays;
  expect(await pids()).toHaveLength(before.length + 1);
});

it('is another one after it has answered nobody, and what hangs ends when nobody asks it', async () => {
  await ask('take');
  const before = await pids();
  const patience = new AbortController();
  await writeFile(join(folder, 'mode'), 'hang');
  const hung = program.ask({ do: 'check', experiment: 'e' }, patience.signal);
  const isThere = () => readFile(join(folder, 'hangs')).then(Boolean, () => false);
  await until('it hangs', isThere);
  patience.abort(new Error('it takes too long'));
  await expect(hung).rejects.toThrow('it takes too long');
  await ask('take');
  expect(await pids()).toHaveLength(before.length + 1);
  await until('what hangs has ended', () => !isRunning(before.at(-1) ?? 0));
});

it('leaves room for other work while it is slow', async () => {
  const patience = Array.from({ length: 32 }, () => new AbortController());
  await writeFile(join(folder, 'mode'), 'hang');
  const asked = patience.map((one) => program.ask({ do: 'check', experiment: 'e' }, one.signal));
  const ended = Promise.allSettled(asked);
  await expect(program.ask({ do: 'check', experiment: 'e' }, signal)).rejects.toThrow('32 questions wait');
  for (const one of patience) one.abort(new Error('it takes too long'));
  await ended;
  await ask('take');
});
