/** Valid configurations of the counting trainer, from the schema itself: whatever it allows is tried, its bounds most of all. */
import fc from 'fast-check';
import { z } from 'zod';
import type { StopMode } from '../../contracts/receipt.ts';
import { mostOfStore, type RunConfigInput, runConfigSchema } from '../../contracts/run-config.ts';

/** How a run is to end: by itself, or asked once it has trained its first epoch. */
export type Ending = 'finish' | 'cancel' | StopMode;

export interface Case {
  config: RunConfigInput;
  ending: Ending;
  /** How the trainer fails, and how often; null: not at all. */
  fails: { kind: 'error' | 'oom' | 'nan'; times: number } | null;
  /** Its deadlines are shorter than a busy machine needs. */
  isHurried: boolean;
}

/** What is there for a configuration to name. */
export interface Surroundings {
  pool: string;
  /** A folder for stores. */
  folder: string;
  /** Of a run with two epochs. */
  outputFolder: string;
}

interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  enum?: string[];
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}

const edges = (min: number, max: number, between: fc.Arbitrary<number>) => fc.oneof(fc.constantFrom(min, max), between);

/** As `contracts/names.ts` allows them, most often as short or as long as they may be. */
const names = fc
  .oneof(fc.constant(1), fc.constant(100), fc.integer({ min: 2, max: 99 }))
  .chain((length) => fc.stringMatching(new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{${length - 1}}$`)))
  .map((name) => name.replaceAll('..', '._').replace(/\.$/, '_'));

/** Any text, of `max` characters often, in letters that take up to four bytes. */
const texts = (min: number, max: number) =>
  fc
    .tuple(edges(min, max, fc.integer({ min, max })), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }))
    .map(([length, text]) => text.repeat(length).slice(0, length))
    // A letter that was cut in half is none.
    .map((text) => text.replace(/\p{Cs}/gu, '_'));

/** The beginning of a text that takes so many bytes. */
function cutTo(text: string, bytes: number): string {
  const letters = [...text].slice(0, bytes);
  while (Buffer.byteLength(letters.join('')) > bytes) letters.pop();
  return letters.join('');
}

/** `own`: what the schema cannot know, by the path of its field; null: never set. */
function arbitraryOf(
  schema: JsonSchema,
  own: Record<string, fc.Arbitrary<unknown> | null>,
  path = '',
): fc.Arbitrary<unknown> {
  const special = own[path];
  if (special) return special;
  const { type, properties, required = [], minimum = 0, maximum = 0 } = schema;
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => arbitraryOf(one, own, path)));
  if (properties) {
    const fields = Object.entries(properties).flatMap(([field, inner]) => {
      const at = path ? `${path}.${field}` : field;
      return own[at] === null ? [] : [[field, arbitraryOf(inner, own, at)] as const];
    });
    return fc.record(Object.fromEntries(fields), { requiredKeys: required });
  }
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer') return edges(minimum, maximum, fc.integer({ min: minimum, max: maximum }));
  if (type === 'number') return edges(minimum, maximum, fc.double({ min: minimum, max: maximum, noNaN: true }));
  if (type === 'string' && schema.pattern) return names;
  if (type === 'string') return texts(schema.minLength ?? 0, schema.maxLength ?? 100);
  throw new Error(`no way to make a ${type} for ${path}`);
}

/** Small, so that a case takes no time; what is free text is as large as a configuration may be. */
const parameters = fc.record(
  {
    batches: fc.constantFrom(1, 2, 9),
    validation_batches: fc.constantFrom(0, 1, 3),
    checkpoint_bytes: fc.constantFrom(0, 1, 100_000),
    artifacts: fc.constantFrom(0, 1, 7),
    children: fc.constantFrom(0, 1),
    escaped: fc.constantFrom(0, 1),
    score_peak: edges(0, Number.MAX_SAFE_INTEGER, fc.integer({ min: 0, max: 4 })),
    draw: fc.boolean(),
    print_noise: fc.boolean(),
    ignore_sigterm: fc.boolean(),
    // A path: inside of what the host allows.
    marker: texts(1, 49_000)
      .map((text) => text.replace(/^[/~]|\.\./g, '_'))
      .filter((text) => JSON.stringify(text).length < 49_000),
  },
  { requiredKeys: ['batches'] },
);

export function cases({ pool, folder, outputFolder }: Surroundings): fc.Arbitrary<Case> {
  const own = {
    run: null,
    trainer: fc.constant('counter'),
    pool: fc.constant(pool),
    epochs: fc.constantFrom(1, 2, 3),
    parameters,
    // The counting trainer takes none.
    data: null,
    // Both are limited in bytes.
    fairnessKey: texts(1, 64).map((text) => cutTo(text.replace(/\p{Cc}/gu, '_'), 64)),
    store: fc
      .oneof(
        texts(1, 60),
        names.map((name) => `${name}/`.repeat(40)),
      )
      .map((name) => storeIn(folder, name)),
    // Filled in by the check.
    storeIdentity: null,
    // No container is on these hosts.
    image: null,
    limits: null,
    // The worker has none.
    trackers: null,
    // Either the folder or the run's id, which its schema cannot say; the check makes the id a folder.
    continueFrom: fc.record(
      {
        outputFolder: fc.constant(outputFolder),
        checkpoint: fc.constantFrom('best', 'last', 'epoch-0001'),
        keepProgress: fc.boolean(),
      },
      { requiredKeys: ['outputFolder'] },
    ),
    'checkpoints.best.metric': fc.constantFrom('loss', 'score'),
  };
  const schema = z.toJSONSchema(runConfigSchema, { io: 'input' }) as JsonSchema;
  return fc
    .record({
      config: arbitraryOf(
        { ...schema, required: [...(schema.required ?? []), 'pool', 'parameters'] },
        own,
      ) as fc.Arbitrary<RunConfigInput>,
      isHurried: fc.constantFrom(false, false, false, false, false, true),
      ending: fc.oneof(
        { weight: 3, arbitrary: fc.constant<Ending>('finish') },
        { weight: 1, arbitrary: fc.constantFrom<Ending>('batch', 'epoch', 'now', 'cancel') },
      ),
      fails: fc.oneof(
        { weight: 3, arbitrary: fc.constant<Case['fails']>(null) },
        {
          weight: 1,
          arbitrary: fc.record({ kind: fc.constantFrom('error', 'oom', 'nan'), times: fc.constantFrom(0, 1, 2) }),
        },
      ),
    })
    .map(valid);
}

/** As long as a store's address may be, and no longer than a file system allows. */
function storeIn(folder: string, name: string): string {
  const parts = name
    .replace(/\p{Cc}/gu, '_')
    .split('/')
    .filter(Boolean)
    .map((part) => cutTo(part, 255).replace(/^\.+$/, '_'));
  return cutTo([folder, ...parts].join('/'), mostOfStore).replace(/[/\s]+$/, '');
}

/** What fields ask of each other, and what would take hours: a valid configuration that a test can wait for. */
function valid({ config, ending, fails, isHurried }: Case): Case {
  const restarts = Math.min(config.failures?.restarts ?? 3, isHurried ? 2 : Number.POSITIVE_INFINITY);
  // Who fails whenever it is tried fails as often as it may be restarted.
  const times = restarts > 5 ? 1 : (fails?.times ?? 0);
  // A run that is to be stopped has more to train than anybody waits for.
  const epochs = ending === 'finish' ? (config.epochs ?? 1) + (config.continueFrom ? 2 : 0) : 1_000_000;
  const everyEpochs = config.checkpoints?.everyEpochs ?? 0;
  const failing = fails && {
    fail_kind: fails.kind,
    fail_at: `${ending === 'finish' ? epochs : 1}:1`,
    fail_times: times,
  };
  return {
    ...{ ending, isHurried },
    fails: fails && { ...fails, times },
    config: {
      ...config,
      epochs,
      parameters: {
        ...config.parameters,
        ...(ending === 'finish' ? {} : { batch_seconds: 0.05 }),
        ...(failing && { ...failing, marker: '' }),
      },
      checkpoints: { ...config.checkpoints, everyEpochs: everyEpochs === 0 ? 0 : Math.max(everyEpochs, epochs / 100) },
      failures: {
        ...config.failures,
        restarts,
        maxBackoffSeconds: Math.min(0.2, config.failures?.maxBackoffSeconds ?? 0.2),
      },
      deadlines: {
        ...deadlinesOf(config.deadlines ?? {}, isHurried),
        // A trainer that does not heed SIGTERM is given as long as this to heed it: up to an hour.
        ...(config.parameters?.ignore_sigterm ? { terminateSeconds: 0.5 } : {}),
      },
    },
  };
}

/** A busy machine needs a minute for what an idle one does in a second: deadlines below are for runs that may miss them. */
function deadlinesOf(given: NonNullable<RunConfigInput['deadlines']>, isHurried: boolean): typeof given {
  const least = isHurried ? 0 : 120;
  const kept = ['setUpSeconds', 'finishSeconds', 'publishSeconds', 'hangFloorSeconds'] as const;
  const deadlines = { ...given };
  for (const name of kept) {
    deadlines[name] = Math.max(given[name] ?? 120, least);
  }
  // A start of an activity that a busy server loses costs a run as long as its heartbeat may take.
  deadlines.heartbeatSeconds = Math.min(60, Math.max(given.heartbeatSeconds ?? 15, isHurried ? 0 : 15));
  const { hangFloorSeconds = 120, hangCeilingSeconds = 3600 } = deadlines;
  deadlines.hangFloorSeconds = Math.min(hangFloorSeconds, Math.max(hangCeilingSeconds, least));
  deadlines.hangCeilingSeconds = Math.max(hangFloorSeconds, hangCeilingSeconds);
  return deadlines;
}
