/** What Google Cloud Storage tells of an object, and what is kept with one. */
import { z } from 'zod';
import type { BucketObject } from './bucket.ts';

/** In its metadata. */
export const names = { sha256: 'epochal-sha256', writer: 'epochal-writer' } as const;

export const objectSchema = z.object({
  name: z.string(),
  size: z.coerce.number(),
  generation: z.string(),
  crc32c: z.string().optional(),
  md5Hash: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  timeCreated: z.coerce.date().optional(),
});
export type GcsObject = z.infer<typeof objectSchema>;
export const pageSchema = z.object({ items: z.array(objectSchema).optional(), nextPageToken: z.string().optional() });
/** What to ask for. */
export const fields = Object.keys(objectSchema.shape).join(',');

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
