/** Files as the API of Supervisely tells of them. */
import { z } from 'zod';
import type { BucketObject } from './bucket.ts';

const size = z.coerce.number().int().nonnegative();

const infoSchema = z.object({
  id: z.union([z.number(), z.string()]).nullish(),
  path: z.string(),
  hash: z.string().nullish(),
  meta: z.object({ size: size.nullish() }).nullish(),
  size: size.nullish(),
  createdAt: z.string().nullish(),
  updatedAt: z.string().nullish(),
});
export type TeamFile = z.infer<typeof infoSchema>;

export const filesSchema = z.array(infoSchema);

/** Of an upload: one, or a list of one. */
export const uploadedSchema = z.union([infoSchema, z.tuple([infoSchema]).transform(([one]) => one)]);

export const pageSchema = z.object({
  entities: z.array(infoSchema.extend({ type: z.string() })),
  continuationToken: z.string().nullish(),
});

export const sizeOf = ({ meta, size: told }: TeamFile): number => meta?.size ?? told ?? 0;

/** Hexadecimal; null where the server tells none, or not of this kind. */
export function hashIn(text: string | null | undefined): string | null {
  const bytes = Buffer.from(text ?? '', 'base64');
  return bytes.length === 32 && bytes.toString('base64') === text ? bytes.toString('hex') : null;
}

export const timeOf = ({ updatedAt, createdAt }: TeamFile): Date | null => {
  const time = Date.parse(updatedAt ?? createdAt ?? '');
  return Number.isFinite(time) ? new Date(time) : null;
};

/** Its hash is its version: the same bytes are the same file. */
export function factsOf(file: TeamFile): BucketObject {
  const sha256 = hashIn(file.hash);
  const etag = sha256 ?? `${file.id ?? ''} ${file.updatedAt ?? ''} ${sizeOf(file)}`;
  return { size: sizeOf(file), etag, sha256, composite: null, writer: null };
}
