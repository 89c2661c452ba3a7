/** Files and messages of another version: what this one does not know is kept, or taken as `other`, and never refused. */
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as asked from '../../contracts/asked.ts';
import * as checkpoint from '../../contracts/checkpoint.ts';
import * as dataReport from '../../contracts/data-report.ts';
import * as failure from '../../contracts/failure.ts';
import * as hostMessages from '../../contracts/host-messages.ts';
import * as life from '../../contracts/life.ts';
import { observedEventSchema } from '../../contracts/observed-events.ts';
import * as progress from '../../contracts/progress.ts';
import * as protocol from '../../contracts/protocol.ts';
import * as receipt from '../../contracts/receipt.ts';
import * as receiptFacts from '../../contracts/receipt-facts.ts';
import * as runActivities from '../../contracts/run-activities.ts';
import { runConfigSchema, storedRunConfigSchema } from '../../contracts/run-config.ts';
import * as runFiles from '../../contracts/run-files.ts';
import { runViewSchema } from '../../contracts/run-messages.ts';
import { surveySchema } from '../../contracts/salvage-messages.ts';
import * as session from '../../contracts/session.ts';
import * as manifest from '../../contracts/trainer-manifest.ts';
import { runFileSchema } from '../../worker/run-report.ts';
import { keptFileSchema } from '../../worker/upkeep.ts';

const modules: Readonly<Record<string, unknown>> = {
  ...asked,
  ...checkpoint,
  ...dataReport,
  ...failure,
  ...life,
  ...progress,
  ...protocol,
  ...receipt,
  ...receiptFacts,
  ...runActivities,
  ...runFiles,
  ...session,
  ...manifest,
  // A client's question, which is strict.
  checkedConfigSchema: hostMessages.checkedConfigSchema,
  trainerListSchema: hostMessages.trainerListSchema,
  hostStatusSchema: hostMessages.hostStatusSchema,
  keptFolderSchema: hostMessages.keptFolderSchema,
  storedRunConfigSchema,
  runViewSchema,
  surveySchema,
  observedEventSchema,
  runFileSchema,
  keptFileSchema,
};
const crossing = Object.entries(modules).filter((entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType);

describe('a schema of what another version may have written', () => {
  it.each(crossing)('%s lets unknown fields pass, at every depth', (_, schema) => {
    const strict: string[] = [];
    const json = z.toJSONSchema(schema, {
      unrepresentable: 'any',
      override: ({ zodSchema, path }) => {
        const { def } = zodSchema._zod;
        if (def.type === 'object' && def.catchall?._zod.def.type !== 'unknown') strict.push(path.join('.'));
      },
    });
    expect(json).toBeDefined();
    expect(strict).toEqual([]);
  });
});

describe('a receipt of a later version', async () => {
  const written = receipt.receiptSchema.parse(await recordedReceipt());

  it('is read with all that is new in it', () => {
    fc.assert(
      fc.property(fc.nat(), fc.jsonValue(), (at, value) => {
        const later = withNews(written, at, JSON.parse(JSON.stringify(value)));
        expect(receipt.receiptSchema.parse(later)).toEqual(later);
      }),
    );
  });

  it('may end for a reason, and leave a folder behind in a way, that is not known here', () => {
    const later = {
      ...written,
      cause: { kind: 'budget', dollars: 40 },
      localFolder: { kind: 'archived', at: 's3' },
      restarts: [{ at: written.startedAt, reason: 'resized', failure: { kind: 'quota', message: 'out' }, epoch: 3 }],
    };
    const read = receipt.receiptSchema.parse(later);
    expect(read.cause).toEqual({ kind: 'other', was: 'budget', dollars: 40 });
    expect(read.localFolder).toEqual({ kind: 'other', was: 'archived', at: 's3' });
    expect(read.restarts[0]).toMatchObject({ reason: 'other', failure: { kind: 'other', message: 'out' } });
  });

  it('has facts that one of old leaves out, and that may tell more', () => {
    for (const fact of Object.keys(receiptFacts.receiptFactsSchema.shape)) expect(written).not.toHaveProperty(fact);
    const digest = 'a'.repeat(64);
    const unknown = { trainer: null, environment: null, sdk: null, config: digest, data: null };
    const later = {
      ...written,
      life: { namespace: 'n', chain: ['e'], signedBy: 'key' },
      storeIdentity: null,
      materials: { ...unknown, from: null, container: digest },
      filesSha256: digest,
      sessions: [
        {
          ...{ id: 's', generation: 2, host: 'h', startedAt: written.startedAt, resumedFrom: null, members: [{}] },
          ended: { how: 'evicted', failure: 'quota' },
        },
      ],
    };
    expect(receipt.receiptSchema.parse(later)).toEqual({
      ...later,
      sessions: [{ ...later.sessions[0], ended: { how: 'other', failure: 'other' } }],
    });
  });

  it('is refused where what is known is wrong', () => {
    expect(() => receipt.receiptSchema.parse({ ...written, cause: { kind: 'failure', failure: null } })).toThrow();
    expect(() => receipt.receiptSchema.parse({ ...written, receiptVersion: 2 })).toThrow();
  });
});

describe('what is stored of one host', () => {
  const at = '2026-01-01T00:00:00.000Z';
  const members = [{ index: 0, host: 'h', devices: ['gpu'] }];
  const manifest = { name: 'epoch-0001', epoch: 1, batch: 0, metrics: {}, files: [], createdAt: at, session: 's' };
  const begun = { id: 's', host: 'h', resumedFrom: null, devices: [], versions: {}, startedAt: at };
  const config = storedRunConfigSchema.parse({ trainer: 't', epochs: 1 });

  it.each([
    ['a session', session.sessionSchema, begun],
    ['a manifest', checkpoint.checkpointManifestSchema, manifest],
    ['the ledger', checkpoint.ledgerEntrySchema, { ...manifest, host: 'h', stored: true, reasons: ['last'] }],
    ['a run folder', runFileSchema, { run: 'r', config, host: 'h', life: { namespace: 'n', chain: ['e'] } }],
  ])('may be told of several, and has no generation or an older one: %s', (_, schema, value) => {
    for (const version of [value, { ...value, generation: 3 }, { ...value, generation: 4, members }]) {
      expect(schema.parse(version)).toEqual(version);
    }
  });

  it('may happen to several: an event of a kind that is not known keeps what it has', () => {
    const common = { id: 'e/1', run: 'r', life: 'e', seq: 1, at, position: { epoch: 0, batch: 0 } };
    for (const kind of ['changed', 'member']) {
      const event = { ...common, kind, data: { members } };
      expect(observedEventSchema.parse(event)).toEqual({ ...event, kind: 'other', was: kind });
    }
  });
});

describe('a configuration', () => {
  const later = { trainer: 'digits', epochs: 2, labels: ['a'], checkpoints: { last: 2, mirrors: true } };

  it('with keys of a later version is refused from a person, and kept from a file', () => {
    expect(runConfigSchema.safeParse(later).success).toBe(false);
    const read = storedRunConfigSchema.parse(later);
    expect(read).toMatchObject(later);
    expect(read.deadlines).toEqual(runConfigSchema.parse({ trainer: 'digits', epochs: 2 }).deadlines);
  });

  it('keeps its rules in a file', () => {
    const deadlines = { hangFloorSeconds: 100, hangCeilingSeconds: 10 };
    expect(storedRunConfigSchema.safeParse({ trainer: 'digits', epochs: 2, deadlines }).success).toBe(false);
  });
});

describe('an event of a trainer', () => {
  it('of a kind that is not known is no garbage', () => {
    expect(protocol.eventSchema.parse({ type: 'snapshot', epoch: 3 })).toEqual({
      type: 'other',
      was: 'snapshot',
      epoch: 3,
    });
    expect(protocol.eventSchema.safeParse({ type: 'batch', epoch: 'three' }).success).toBe(false);
    expect(protocol.eventSchema.safeParse({ epoch: 3 }).success).toBe(false);
  });
});

/** `value` with a new field in one of its objects, the `at`-th by order of appearance. */
function withNews(value: unknown, at: number, news: unknown): unknown {
  const copy: unknown = structuredClone(value);
  const objects: object[] = [];
  const collect = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    // Records hold names of metrics and states, where a new key is one more of them.
    if (!Array.isArray(part) && !Object.values(part).every((one) => typeof one === 'number')) objects.push(part);
    for (const inner of Object.values(part)) collect(inner);
  };
  collect(copy);
  Reflect.set(objects[at % objects.length] ?? {}, 'ofALaterVersion', news);
  return copy;
}

async function recordedReceipt(): Promise<unknown> {
  const file = new URL('../workflows/histories/v0.1-completed.json', import.meta.url);
  const result = /"workflowExecutionCompletedEventAttributes":\{"result":\{"payloads":\[\{[^}]*\},"data":"([^"]+)"/;
  const data = result.exec((await readFile(file, 'utf8')).replaceAll(/\s/g, ''))?.[1] ?? '';
  return JSON.parse(Buffer.from(data, 'base64').toString());
}
