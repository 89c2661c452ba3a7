/** Output without an end fills no memory: lines, programs and folders are read within bounds. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readLines } from '../../worker/bounded-lines.ts';
import { inGroups } from '../../worker/in-groups.ts';
import { processLauncher } from '../../worker/launchers/process.ts';
import { findPython } from '../../worker/python-tools.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { runProgram } from '../../worker/run-program.ts';
import { TrainerChannel } from '../../worker/trainer-channel.ts';

const moduleOf = (name: string) => fileURLToPath(new URL(`../../worker/${name}.ts`, import.meta.url));

async function read(chunks: string[], longest: number): Promise<string[]> {
  const stream = new PassThrough();
  const seen: string[] = [];
  const over = readLines(stream, longest, {
    onLine: (line) => seen.push(line),
    onTooLong: (beginning) => seen.push(`too long: ${beginning.slice(0, 4)}`),
  });
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await over;
  return seen;
}

describe('lines', () => {
  it('are told whole, however they come, also the last one', async () => {
    expect(await read(['on', 'e\ntwo\r\n', '\nthr', 'ee'], 100)).toEqual(['one', 'two', '', 'three']);
  });

  it('that do not end are given up, and what follows is dropped', async () => {
    expect(await read(['a\n', 'bbbbbb', 'bbbbbb', 'bbbb\nc\n'], 10)).toEqual(['a', 'too long: bbbb']);
  });
});

it.each([
  ['a line', 'tr "\\0" x < /dev/zero'],
  // Some end, so that nothing fills the memory of whoever does not end it.
  ['lines', 'yes "$(printf %1000d 0)" | head -c 40000000'],
])('a program that writes %s without an end is ended, and the reason is told', async (_, script) => {
  const { code, tail } = await runProgram('sh', ['-c', script]);
  expect(code).toBeNull();
  expect(tail).toContain('it was ended: it wrote more than 16777216 bytes');
});

it('a trainer that sends a line without an end is told once, by its beginning, and held up by nobody', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-flood-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'flood.py');
  const program = [
    'import socket',
    'listener = socket.socket(socket.AF_UNIX)',
    `listener.bind(${JSON.stringify(join(folder, 'socket'))})`,
    'listener.listen()',
    'worker, _ = listener.accept()',
    'for _ in range(8): worker.sendall(b"x" * (1 << 20))',
  ];
  await writeFile(file, program.join('\n'));
  const told: string[] = [];
  const listener = {
    onConnected: () => undefined,
    onEvent: () => told.push('an event'),
    onProtocolError: (sentence: string) => told.push(sentence),
  };
  const { path } = await findPython();
  const run = await new RunFolders(folder).make('run');
  const limits = { stopSeconds: 60, terminateSeconds: 60, reattachSeconds: 60 };
  const socket = join(folder, 'socket');
  const trainer = await processLauncher.start(
    { index: 0 },
    {
      ...{ program: { name: 'flood', file }, python: path, folder: run, session: 'one', socket, limits },
      ...{ environment: {}, devices: { environment: {} } },
    },
  );
  const channel = new TrainerChannel(socket, listener);
  expect(await trainer.exited).toMatchObject({ code: 0, signal: null });
  channel.finish();
  await channel.drained;
  trainer.dismiss();
  expect(told).toEqual([
    expect.stringMatching(/a line that is longer than 4194304 bytes, which no event is: x{4000} …$/),
  ]);
});

it('checkpoints without number are read by a process that may open few files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-many-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const run = await new RunFolders(folder).make('run');
  const [at, session] = ['2026-01-01T00:00:00.000Z', 's'];
  for (let epoch = 1; epoch <= 500; epoch++) {
    const manifest = { name: `epoch-${epoch}`, epoch, batch: 0, metrics: {}, createdAt: at, session, files: [] };
    await mkdir(join(run.checkpoints, manifest.name));
    await writeFile(join(run.checkpoints, manifest.name, 'checkpoint.json'), JSON.stringify(manifest));
  }
  const program = `
    const { readManifests } = await import(${JSON.stringify(moduleOf('run-report'))});
    const { RunFolders } = await import(${JSON.stringify(moduleOf('run-folders'))});
    console.log((await readManifests(new RunFolders(${JSON.stringify(folder)}).of('run'))).length);
  `;
  const limited = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath, '--import', 'tsx'];
  const { stdout, tail } = await runProgram('sh', [...limited, '--input-type=module', '-e', program]);
  expect(stdout, tail).toBe('500');
});

it('many files are read a few at a time, in order', async () => {
  let [now, most] = [0, 0];
  const numbers = Array.from({ length: 100 }, (_, index) => index);
  const read = await inGroups(numbers, async (number) => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    now--;
    return number;
  });
  expect(read).toEqual(numbers);
  expect(most).toBeLessThanOrEqual(16);
});
