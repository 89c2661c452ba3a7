/**
 * Removes a file, or a folder with all that is in it; what is not there is removed already. Links go themselves, not what they lead to. Node's own
 * `rm` looks at each file before it removes it, and tries to remove each folder before it looks what is in it.
 */
import { lstat, readdir, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

export async function removeTree(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isDirectory()) await removeFolder(path);
    else await unlink(path);
  } catch {
    // It is not there, or others put something there, or took it away: Node's own tries again, and says what is wrong.
    await rm(path, { recursive: true, force: true });
  }
}

async function removeFolder(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) await removeFolder(inside);
    else await unlink(inside);
  }
  await rmdir(path);
}
