/** The worker's end of the protocol: connections are lost and made again, and each event is told once. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readLines } from '../../worker/bounded-lines.ts';
import { TrainerChannel } from '../../worker/trainer-channel.ts';
import { until } from '../support/until.ts';

let folder: string;
let trainer: Server;
let channel: TrainerChannel;
let worker: Socket | null = null;
/** What the worker said, what it was told, and how often it has connected. */
let heard: unknown[];
let told: string[];
let connections: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-channel-'));
  [heard, told, connections] = [[], [], 0];
  trainer = createServer((socket) => {
    worker = socket;
    void readLines(socket, 10_000, { onLine: (line) => heard.push(JSON.parse(line)), onTooLong: () => undefined });
  });
  const path = join(folder, 'socket');
  // Before the trainer listens, as at its start.
  channel = new TrainerChannel(path, {
    onConnected: () => {
      connections++;
      channel.send({ type: 'grant', through: 2 });
    },
    onEvent: (event) => told.push(event.type === 'note' ? event.message : event.type),
    onProtocolError: (sentence) => told.push(sentence),
  });
  trainer.listen(path);
  await once(trainer, 'connection');
});
afterEach(async () => {
  channel.leave();
  worker?.destroy();
  trainer.close();
  await rm(folder, { recursive: true, force: true });
});

const note = (seq: number) => `${JSON.stringify({ type: 'note', message: `note ${seq}`, seq })}\n`;
const say = (text: string) => worker?.write(text);

it('what comes again after a lost connection is told once, and acknowledged as often as it comes', async () => {
  say(note(1) + note(2) + note(3).slice(0, 10));
  await until('both are told', () => told.length === 2);
  await until('they are acknowledged', () => heard.length === 2);
  expect(heard).toEqual([
    { type: 'grant', through: 2 },
    { type: 'received', through: 2 },
  ]);
  const again = once(trainer, 'connection');
  worker?.destroy();
  await again;
  heard = [];
  say(note(2) + note(3));
  await until('the rest is told', () => told.length === 3);
  expect(told).toEqual(['note 1', 'note 2', 'note 3']);
  await until('it is acknowledged', () => heard.length === 2);
  // What the trainer may not have heard is said again.
  expect(heard).toEqual([
    { type: 'grant', through: 2 },
    { type: 'received', through: 3 },
  ]);
  expect(connections).toBe(2);
});

it('a trainer that has ended is heard to its last word, and not looked for any more', async () => {
  say(note(1));
  worker?.end(note(2));
  channel.finish();
  await channel.drained;
  expect(told).toEqual(['note 1', 'note 2']);
  expect(connections).toBe(1);
});

it('what is no event is told as garbage', async () => {
  say('this is not JSON\n');
  await until('it is told', () => told.length === 1);
  expect(told[0]).toContain('not JSON: this is not JSON');
});
