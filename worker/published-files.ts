/** What of a run folder is published beside its checkpoints. */
import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Receipt } from '../contracts/receipt.ts';
import type { ArtifactStore } from '../stores/artifact-store.ts';
import { fileInside } from './inside.ts';
import { filesBelow, isBookkeeping, type RunFolder } from './run-folders.ts';

/** Links that a note names. */
const mostNamed = 5;

/**
 * Everything of the run folder that is not a checkpoint and no bookkeeping of this host: path in the store, and here. In the place of a link
 * to a file of the run its content is published. `onLeftOut` is told of links to anything else, which are not followed.
 */
export async function* publishedFiles(
  folder: RunFolder,
  onLeftOut: (path: string) => void = () => undefined,
): AsyncGenerator<[string, string]> {
  const links: string[] = [];
  for await (const path of filesBelow(folder.path, '', (link) => links.push(link))) {
    if (isPublished(path)) yield [path, join(folder.path, path)];
  }
  for (const link of links.filter(isPublished)) {
    const real = await fileInside(folder.path, link);
    if (real !== null && !isBookkeeping(await inRunFolder(folder, real))) yield [link, real];
    else onLeftOut(link);
  }
}

const isPublished = (path: string) => !path.startsWith('checkpoints/') && !isBookkeeping(path);

const inRunFolder = async ({ path }: RunFolder, real: string) => relative(await realpath(path), real);

/** For the receipt: nothing that a trainer left is missed in silence. */
export function leftOutNotes(links: readonly string[]): string[] {
  if (links.length === 0) return [];
  const named = links.slice(0, mostNamed).map((link) => JSON.stringify(link.slice(0, 200)));
  const more = links.length > mostNamed ? ` and ${links.length - mostNamed} more` : '';
  return [`not published: symbolic links that do not lead to a file of the run folder: ${named.join(', ')}${more}`];
}

/**
 * The receipt of a publishing that was given up, with those of its checkpoints that are in the store. Until then it continued, and may
 * have removed what the run takes for stored, as something newer is there.
 */
export async function withWhatIsStored<R extends Pick<Receipt, 'checkpoints' | 'notes'>>(
  store: ArtifactStore,
  output: string,
  receipt: R,
): Promise<R> {
  const sizes = new Map<string, number>();
  for await (const { path, size } of store.list(`${output}/checkpoints`)) sizes.set(path, size);
  const isThere = ({ files }: Receipt['checkpoints'][number]) =>
    files.every(({ path, size }) => sizes.get(`${output}/${path}`) === size);
  const gone = receipt.checkpoints.filter((checkpoint) => !isThere(checkpoint)).map(({ name }) => name);
  if (gone.length === 0) return receipt;
  return {
    ...receipt,
    checkpoints: receipt.checkpoints.filter(isThere),
    notes: [...receipt.notes, `stored earlier, and removed before publishing was given up: ${gone.join(', ')}`],
  };
}
