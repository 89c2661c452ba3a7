/**
 * What one version of Epochal writes and another one reads: files of runs and stores, and the messages between workflows, hosts and
 * trainers. Contracts change by addition, so a reader keeps fields that it does not know, and takes a kind that it does not know
 * as `other`. Only what people write is strict: there an unknown key is a typing error.
 */
import { z } from 'zod';

/**
 * An object that later versions may extend. Its type names what this version knows: an index signature would let every
 * misspelt field pass the compiler.
 */
export const extensible = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.looseObject(shape) as unknown as z.ZodObject<Shape, z.core.$strict>;

/** One of `kinds`; a kind of a later version is `other`. */
export const openEnum = <const Kinds extends readonly [string, ...string[]]>(kinds: Kinds) =>
  z.preprocess(
    (value) => (typeof value === 'string' && !kinds.includes(value) ? 'other' : value),
    z.enum([...kinds, 'other'] as [Kinds[number], ...Kinds[number][], 'other']),
  );

/** Options that are told apart by `key`; one of a later version is `other` there, `was` says what, and it keeps its fields. */
export const openUnion = <Key extends string, const Options extends readonly [Option<Key>, ...Option<Key>[]]>(
  key: Key,
  options: Options,
) => {
  const known: readonly unknown[] = options.flatMap((option) => [...option.shape[key].values]);
  const other = extensible({ [key]: z.literal('other'), was: z.string() } as Record<Key, z.ZodLiteral<'other'>> & {
    was: z.ZodString;
  });
  return z.preprocess(
    (value) => (isOther(value, key, known) ? { was: Reflect.get(value, key), ...value, [key]: 'other' } : value),
    z.discriminatedUnion(key, [...options, other]),
  );
};
type Option<Key extends string> = z.ZodObject<Record<Key, z.ZodLiteral<string>>, z.core.$strict>;

const isOther = (value: unknown, key: string, known: readonly unknown[]): value is object =>
  typeof value === 'object' &&
  value !== null &&
  typeof Reflect.get(value, key) === 'string' &&
  !known.includes(Reflect.get(value, key));

/** `schema`, which is strict for people, as a reader of what another version has stored: its objects let unknown fields pass. */
export function tolerant<S extends z.ZodType>(schema: S): S {
  return loosened(schema) as S;
}

function loosened(schema: z.core.$ZodType): z.core.$ZodType {
  const parts = schema as z.core.$ZodTypes;
  const { def } = parts._zod;
  switch (def.type) {
    case 'object': {
      const shape = Object.fromEntries(Object.entries(def.shape).map(([key, field]) => [key, loosened(field)]));
      return z.core.clone(parts, { ...def, shape, catchall: z.unknown() } as never);
    }
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
      return z.core.clone(parts, { ...def, innerType: loosened(def.innerType) } as never);
    default:
      return schema;
  }
}
