/** What Google Cloud Storage tells of an object, and what is kept with one. */
import { z } from 'zod';
import { BucketError, type BucketObject } from './bucket.ts';

/** In its metadata. */
export const names = { sha256: 'epochal-sha256', writer: 'epochal-writer' } as const;

const objectSchema = z.object({
  name: z.string(),
  size: z.coerce.number(),
  generation: z.string(),
  crc32c: z.string().optional(),
  md5Hash: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  timeCreated: z.coerce.date().optional(),
});
export type GcsObject = z.infer<typeof objectSchema>;
const pageSchema = z.object({ items: z.array(objectSchema).optional(), nextPageToken: z.string().optional() });
/** What to ask for. */
export const fields = Object.keys(objectSchema.shape).join(',');

/** Throw BucketError for an answer of something else, as of a proxy in between. */
export const objectOf = (answer: unknown): GcsObject => toldOf(objectSchema, answer);
export const pageOf = (answer: unknown): z.infer<typeof pageSchema> => toldOf(pageSchema, answer);

function toldOf<T>(schema: z.ZodType<T>, answer: unknown): T {
  const told = schema.safeParse(answer);
  if (told.success) return told.data;
  throw new BucketError('broken', 'the answer is none that Google Cloud Storage gives');
}

export function factsOf({ size, generation, metadata }: GcsObject): BucketObject {
  const sha256 = metadata?.[names.sha256] ?? '';
  return {
    size,
    etag: generation,
    sha256: /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null,
    composite: null,
    writer: metadata?.[names.writer] ?? null,
  };
}
