/** A store in a folder goes away, and comes back as it was. */
import { mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';

/** What is in its place meanwhile: the mount point of a disk that is not mounted, or something in the way. */
export type InItsPlace = 'empty folder' | 'file';

/** Resolves to what brings it back; that fails when something was written into its place. */
export async function takeAway(store: string, inItsPlace: InItsPlace = 'empty folder'): Promise<() => Promise<void>> {
  await rename(store, `${store}-away`);
  if (inItsPlace === 'file') await writeFile(store, 'in the way');
  else await mkdir(store);
  return async () => {
    await (inItsPlace === 'file' ? rm(store) : rmdir(store));
    await rename(`${store}-away`, store);
  };
}
