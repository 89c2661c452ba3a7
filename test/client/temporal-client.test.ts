/** With a payload codec in place everything is as without it, and nothing of it can be read on the server. */
import type { Payload, PayloadCodec } from '@temporalio/common';
import { defaultDataConverter } from '@temporalio/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { liveProgress } from '../../client/live-progress.ts';
import { decoded } from '../../client/temporal-client.ts';
import { TrainingClient } from '../../client/training-client.ts';
import type { WatchItem } from '../../client/watch.ts';
import { TestHost } from '../support/test-host.ts';

/** Turns every byte round: nobody can read it, and the two ways are one. */
const turned: PayloadCodec = {
  encode: async (payloads) => payloads.map(turn),
  decode: async (payloads) => payloads.map(turn),
};

function turn({ metadata, data }: Payload): Payload {
  return {
    metadata: Object.fromEntries(
      Object.entries(metadata ?? {}).map(([key, value]) => [key, value.map((byte) => byte ^ 0xff)]),
    ),
    data: data?.map((byte) => byte ^ 0xff) ?? null,
  };
}

let host: TestHost;

beforeAll(async () => {
  host = await TestHost.start({ conversion: { dataConverter: { payloadCodecs: [turned] } } });
});
afterAll(() => host?.stop());

it('a run is started, watched live and landed, and its history tells nobody what it trains', async () => {
  const client = new TrainingClient(host.client, { workflowQueue: host.settings.workflowQueue });
  const { run } = await client.start(host.config({ parameters: { batches: 40, batch_seconds: 0.02 } }));
  const items: WatchItem[] = [];
  for await (const item of client.watch(run, { intervalMs: 20 })) items.push(item);
  expect(items.at(-1)).toMatchObject({ kind: 'end', receipt: { outcome: 'completed' } });
  expect(items.map(({ kind }) => kind)).toContain('progress');
  const read = textIn((await host.client.workflow.getHandle(run).fetchHistory()).events);
  expect(read).toContain('trainEpoch');
  // Search attributes, the project among them, are for the server to read.
  expect(read).not.toContain('batch_seconds');
});

/** All texts and bytes of a history. */
function textIn(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return value !== null && typeof value === 'object' ? Object.values(value).map(textIn).join('\n') : '';
}

it('a failure whose message is encoded is told, and what cannot be decoded is left out', async () => {
  const { payloadConverter } = defaultDataConverter;
  const client = { options: { loadedDataConverter: { ...defaultDataConverter, payloadCodecs: [turned] } } };
  const given = client as Parameters<typeof liveProgress>[0];
  const hidden = turn(payloadConverter.toPayload({ message: 'the disk is full', stack_trace: '' }));
  const publishing = {
    activityType: { name: 'publish' },
    attempt: 3,
    heartbeatDetails: { payloads: [turn(payloadConverter.toPayload({ doing: 'publish best' }))] },
    lastFailure: { message: 'Encoded failure', encodedAttributes: hidden },
  };
  const described = (pending: object) =>
    ({ raw: { pendingActivities: [pending] } }) as unknown as Parameters<typeof liveProgress>[1];
  const work = { doing: 'publish best', trouble: 'the disk is full' };
  expect(await liveProgress(given, described(publishing))).toEqual([{ kind: 'work', activity: 'publish', work }]);
  const unreadable = {
    ...publishing,
    attempt: 1,
    heartbeatDetails: { payloads: [payloadConverter.toPayload({ doing: 'x' })] },
  };
  expect(await liveProgress(given, described(unreadable))).toEqual([]);
  expect(await decoded(given.options, null)).toBeNull();
});
