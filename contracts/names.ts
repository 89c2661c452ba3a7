/**
 * Names that users choose and that end up in paths, queues and workflow ids.
 *
 * Every name is checked here, at the edge, so that no later part has to ask whether a name could leave its
 * folder: the alphabet has no separator, no NUL and no leading dot.
 */
import { z } from 'zod';

const nameRule = 'letters, digits, ".", "_" and "-", starting with a letter or digit, at most 100 characters, no ".."';

/** A run id, project, trainer, pool or checkpoint name. One path segment, safe on every file system. */
export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, `must consist of ${nameRule}`)
  .refine((value) => !value.includes('..') && !value.endsWith('.'), `must consist of ${nameRule}`);

/** Where a life of a run has its files: the run id, or that with `@` and 8 hexadecimal digits. One path segment. */
export const placeName = z.string().refine((value) => {
  const [run, life, ...more] = value.split('@');
  return more.length === 0 && name.safeParse(run).success && (life === undefined || /^[0-9a-f]{8}$/.test(life));
}, 'must be a run id, or one of its lives: <run>@<8 hexadecimal digits>');

/** A path inside a folder we own: relative, with forward slashes, each segment neither empty, "." nor "..". */
export const relativePath = z
  .string()
  .min(1)
  .max(1024)
  .refine(
    (path) => !/[\0\\]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must be a relative path inside the folder, with "/" between its parts',
  );

/** Hex sha256 of a file's bytes. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');

/** An instant as ISO 8601 in UTC. */
export const instant = z.iso.datetime();
