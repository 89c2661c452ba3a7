/**
 * Workflows and hosts are upgraded one after the other. Each pair is tried for real: a host that knows the contract of v0.1 alone, as it
 * is in the recorded histories; workflows of then; and hosts and workflows of a later version, which tell more than is known here.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ActivityInboundCallsInterceptor, WorkerInterceptors } from '@temporalio/worker';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { receiptSchema } from '../../contracts/receipt.ts';
import { receiptFactsSchema } from '../../contracts/receipt-facts.ts';
import { sessionNameSchema } from '../../contracts/session.ts';
import { Hold } from '../faults/hold.ts';
import { readJson, TestHost } from '../support/test-host.ts';

/** What a message of v0.1 could have in it: the fields of each of its objects, by where they are. */
type Fields = Map<string, Set<string>>;
interface Contract {
  inputs: Fields;
  answers: Fields;
}
const v01 = await recordedContract();

/** Hold names that a trainer or a run chooses, which are not fields of a contract. */
const records = new Set(['parameters', 'metrics', 'versions', 'stateSeconds', 'wastedBy']);

type Change = (message: unknown, known: Fields, activity: string) => unknown;
const asKnownThen: Change = (message, known, activity) => pruned(message, known, activity);
/** But for what a person has written: a setting that a host does not know, it could not honour. */
const asToldLater: Change = (message, _, activity) => (activity === 'checkConfig' ? message : extended(message));
const asAnsweredLater: Change = (message) => extended(message);
const unchanged: Change = (message) => message;

let host: TestHost | undefined;
afterEach(async () => {
  await host?.stop();
  host = undefined;
});

describe('a run is trained, paused, resumed and landed', () => {
  it.each([
    { by: 'a host of v0.1', inputs: asKnownThen, answers: asKnownThen },
    { by: 'a host of today, for workflows of v0.1', inputs: asKnownThen, answers: unchanged },
    { by: 'a host of a later version', inputs: unchanged, answers: asAnsweredLater },
    { by: 'a host of today, for workflows of a later version', inputs: asToldLater, answers: unchanged },
  ])('by $by', async ({ inputs, answers }) => {
    const called: unknown[] = [];
    const heard: Change = (message, known, activity) => {
      const asked = inputs(message, known, activity);
      if (activity === 'openSession') called.push(Reflect.get(Object(asked), 'next'));
      return asked;
    };
    host = await TestHost.start({ interceptors: between(heard, answers) });
    const hold = await Hold.at(host.settings.dataFolder, ['2:3']);
    const run = await host.start(host.config({ parameters: { batches: 6, batch_seconds: 0.01, ...hold.parameters } }));
    await hold.reached('2:3');
    await run.update('pause');
    await hold.release('2:3');
    await run.until('is paused', ({ detail }) => detail === 'training.paused');
    await run.update('resume');
    const receipt = await run.result();
    expect(receipt).toMatchObject({
      outcome: 'completed',
      epochs: { trained: 3, planned: 3 },
      batches: { trained: 18, wasted: 0 },
      restarts: [],
      localFolder: { kind: 'removed' },
    });
    expect(receipt.checkpoints.map(({ name }) => name)).toContain('epoch-0003');
    // Its run says what each session is called, the newest of which wrote the newest checkpoint; a run of old leaves that to the host.
    const names = z.array(sessionNameSchema).safeParse(called).data ?? [];
    expect(names.map(({ generation }) => generation)).toEqual(
      inputs === asKnownThen ? [] : called.map((_, at) => at + 1),
    );
    expect(new Set(names.map(({ id }) => id)).size).toBe(names.length);
    const { session, generation } = receipt.checkpoints.at(-1) ?? {};
    const newest = names.at(-1);
    expect(newest ?? { id: session }).toMatchObject({ id: session, ...(generation && { generation }) });
    expect(generation).toBe(newest?.generation);
    // What v0.1 has no word for is in no receipt that goes through it: how each session ended, and what the run was made of.
    const isThen = inputs === asKnownThen;
    const told = receipt.sessions?.map((one) => [one.generation, one.ended?.how]);
    const both = [names[0], newest].map((one, at) => [one?.generation, at === 0 ? 'stopped' : 'finished']);
    expect(told).toEqual(isThen ? undefined : both);
    // What it took of its host is told where it trained long enough to be measured.
    const known = Object.keys(receiptFactsSchema.shape).filter((fact) => fact !== 'system');
    const facts = known.filter((fact) => Object.hasOwn(receipt, fact));
    expect(facts).toEqual(isThen ? [] : known);
    const written = receiptSchema.parse(await readJson(join(receipt.outputFolder ?? '', 'receipt.json')));
    expect(written).toMatchObject({ outcome: 'completed', epochs: { trained: 3, planned: 3 } });
  });
});

it('a trainer of a later version is trained, and what is not known of it is noted once', async () => {
  host = await TestHost.start();
  const parameters = { fail_at: '2:3', fail_kind: 'unknown_event', fail_times: 0 };
  const run = await host.start(host.config({ parameters }));
  const receipt = await run.result();
  const note = 'the trainer told of "snapshot", which this worker does not know: ignored';
  expect(receipt).toMatchObject({ outcome: 'completed', restarts: [], batches: { wasted: 0 }, notes: [note] });
});

/** Stands between the server and a host: what is asked of it, and what it answers, is as another version has it. */
function between(inputs: Change, answers: Change): WorkerInterceptors {
  return {
    activity: [
      ({ info: { activityType } }) => ({
        inbound: {
          execute: async (input, next) => {
            const args = input.args.map((argument) => inputs(argument, v01.inputs, activityType));
            return answers(await next({ ...input, args }), v01.answers, activityType);
          },
        } satisfies ActivityInboundCallsInterceptor,
      }),
    ],
  };
}

function pruned(value: unknown, known: Fields, path: string): unknown {
  if (Array.isArray(value)) return value.map((item) => pruned(item, known, `${path}[]`));
  if (!isObject(value)) return value;
  const fields = known.get(path);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) =>
      fields === undefined || fields.has(key)
        ? [[key, records.has(key) ? field : pruned(field, known, `${path}.${key}`)]]
        : [],
    ),
  );
}

/** With a new field in every object of the contract. */
function extended(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(extended);
  if (!isObject(value)) return value;
  const fields = Object.entries(value).map(([key, field]) => [key, records.has(key) ? field : extended(field)]);
  return { ...Object.fromEntries(fields), ofALaterVersion: { is: 'news' } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

async function recordedContract(): Promise<Contract> {
  const payloads = z.object({ payloads: z.array(z.object({ data: z.string().optional() })) });
  const historySchema = z.object({
    events: z.array(
      z.object({
        eventId: z.string(),
        activityTaskScheduledEventAttributes: z
          .object({ activityType: z.object({ name: z.string() }), input: payloads.optional() })
          .optional(),
        activityTaskCompletedEventAttributes: z
          .object({ scheduledEventId: z.string(), result: payloads.optional() })
          .optional(),
      }),
    ),
  });
  const contract: Contract = { inputs: new Map(), answers: new Map() };
  const folder = fileURLToPath(new URL('./histories', import.meta.url));
  for (const file of (await readdir(folder)).filter((name) => name.startsWith('v0.1-'))) {
    const { events } = historySchema.parse(JSON.parse(await readFile(join(folder, file), 'utf8')));
    const types = new Map<string, string>();
    for (const event of events) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      const completed = event.activityTaskCompletedEventAttributes;
      if (scheduled) types.set(event.eventId, scheduled.activityType.name);
      const activity = scheduled?.activityType.name ?? types.get(completed?.scheduledEventId ?? '') ?? '';
      for (const { data } of scheduled?.input?.payloads ?? []) note(contract.inputs, activity, data);
      for (const { data } of completed?.result?.payloads ?? []) note(contract.answers, activity, data);
    }
  }
  return contract;
}

function note(known: Fields, activity: string, data: string | undefined): void {
  const collect = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const item of value) collect(item, `${path}[]`);
    else if (isObject(value)) {
      const fields = known.get(path) ?? new Set();
      known.set(path, fields);
      for (const [key, field] of Object.entries(value)) {
        fields.add(key);
        collect(field, `${path}.${key}`);
      }
    }
  };
  if (data !== undefined) collect(JSON.parse(Buffer.from(data, 'base64').toString()), activity);
}
