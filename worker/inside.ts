/** Files that a trainer left in a folder of its run: taken for what they are only where they really are in it. */
import { lstat, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { codeOf } from '../stores/file-errors.ts';

/**
 * The real path of the regular file at `path` in `folder`. A link is followed as long as it stays in the folder: what it leads to
 * is part of it. Null where there is no such file, where it leads out, and where the folder itself is a link.
 */
export async function fileInside(folder: string, path: string): Promise<string | null> {
  try {
    if (!(await lstat(folder)).isDirectory()) return null;
    const root = await realpath(folder);
    const real = await realpath(join(root, path));
    if (!real.startsWith(root + sep)) return null;
    return (await lstat(real)).isFile() ? real : null;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return null;
    throw error;
  }
}
