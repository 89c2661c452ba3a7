/** What answers and streams are limited to. */
import { PassThrough } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { expect, it, vi } from 'vitest';
import type { EpochResult } from '../../contracts/protocol.ts';
import { createApp } from '../../server/app.ts';
import { streamRun } from '../../server/live-stream.ts';
import { columnsOf } from '../../server/metric-columns.ts';
import { OpenStreams } from '../../server/open-streams.ts';
import { readServerSettings } from '../../server/settings.ts';
import { TemporalLink } from '../../server/temporal-link.ts';
import { testLog } from '../support/test-host.ts';
import { until } from '../support/until.ts';

const row = (epoch: number, metrics: Record<string, number>): EpochResult => ({
  epoch,
  batches: 1,
  seconds: 1,
  metrics,
  at: '2026-01-01T00:00:00.000Z',
});

it('columns of metrics are bounded, also where every epoch has names of its own', () => {
  const rows = Array.from({ length: 5_000 }, (_, epoch) => row(epoch + 1, { loss: epoch, [`own_${epoch}`]: epoch }));
  const { epoch, metrics, all } = columnsOf(rows, 100_000);
  expect(all).toBe(false);
  expect(Object.keys(metrics)).toHaveLength(500);
  expect(metrics.loss).toHaveLength(epoch.length);
  expect(epoch.length * 500).toBeLessThanOrEqual(2_000_000);
  expect([epoch[0], epoch.at(-1)]).toEqual([1, 5_000]);
  // What is usual is sent whole.
  expect(
    columnsOf(
      rows.map(({ epoch }) => row(epoch, { loss: 1 })),
      100_000,
    ).epoch,
  ).toHaveLength(5_000);
});

it('columns of metrics say that none was left out, whatever a metric is called', () => {
  const [first, second] = [row(1, { loss: 1 }), row(2, { loss: 2, constructor: 3 })];
  const { metrics, all } = columnsOf([first, second], 100);
  expect({ metrics, all }).toEqual({ metrics: { loss: [1, 2], constructor: [null, 3] }, all: true });
  const names = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`m${index}`, 1]));
  expect(columnsOf([row(1, names), row(2, names)], 100).all).toBe(true);
});

it('a stream ends soon after the login session of whoever listens', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const raw = Object.assign(new PassThrough(), { writeHead: () => undefined });
    const reply = { raw, hijack: () => undefined, getHeaders: () => ({}) } as unknown as FastifyReply;
    const answers = [Promise.resolve(true), Promise.reject(new Error('too many wrong tokens')), Promise.resolve(false)];
    for (const answer of answers) answer.catch(() => undefined);
    let ended = 0;
    const listen = async () => () => {
      ended++;
    };
    await streamRun({ listen }, 'a-run', reply, () => answers.shift() ?? Promise.resolve(true));
    await vi.advanceTimersByTimeAsync(40_000);
    expect([raw.destroyed, ended]).toEqual([false, 0]);
    await vi.advanceTimersByTimeAsync(10_000);
    await until('it is closed', () => raw.closed);
    expect([raw.destroyed, ended]).toEqual([true, 1]);
  } finally {
    vi.useRealTimers();
  }
});

it('streams are counted by address, and given back once', () => {
  const streams = new OpenStreams(2, 3);
  const [first, second] = [streams.take('a'), streams.take('a')];
  expect(() => streams.take('a')).toThrow('at most 2 are allowed');
  streams.take('b');
  expect(() => streams.take('c')).toThrow('3 streams are open');
  first();
  first();
  streams.take('a');
  expect(() => streams.take('a')).toThrow();
  second();
  streams.take('a');
});

it('a request that does not come to its end is given up, by Node, after a minute', async () => {
  const settings = readServerSettings({ EPOCHAL_DATA_DIR: '/data' });
  const link = new TemporalLink(settings, () => Promise.reject(new Error('there is no Temporal here')));
  const parts = { settings, link, token: null, tls: null, log: testLog(), webFolder: '/none' };
  const { server } = await createApp(parts);
  // Fastify's own is none at all. To wait for it would take more than a minute.
  expect(server.server.requestTimeout).toBe(60_000);
  await server.close();
});
