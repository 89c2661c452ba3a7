/** Folders that nobody else on this machine may look into: they hold logs, configurations and weights. */
import { chmod, mkdir, stat } from 'node:fs/promises';

const others = 0o077;

/** Makes it where it is missing; one that is there is closed to others, where it is this user's. */
export async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(folder);
  if ((mode & others) !== 0 && uid === process.getuid?.()) await chmod(folder, 0o700);
}
