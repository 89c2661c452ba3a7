/** Folders that nobody else on this machine may look into: they hold logs, configurations and weights. */
import { chmod, mkdir, stat } from 'node:fs/promises';
import { folderProblem, sharedFolder } from '../contracts/folders.ts';
import { thisMachine } from './machine-folders.ts';

const others = 0o077;
/** As /tmp has it. */
const sticky = 0o1000;

/** Makes it where it is missing; one that is there is closed to others, where it is this user's. Throws FolderProblem for one of all users. */
export async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(folder);
  if ((mode & sticky) !== 0 || folder === '/') throw folderProblem(folder, thisMachine(), sharedFolder);
  if ((mode & others) !== 0 && uid === process.getuid?.()) await chmod(folder, 0o700);
}
