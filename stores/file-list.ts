/** `files.jsonl`: the files of a run that are too many for its receipt. */
import type { PublishedFile } from '../contracts/receipt.ts';

export const fileListName = 'files.jsonl';

/** Files that a receipt names: it travels through Temporal, whose payloads are small. */
export const mostNamed = 300;

export const fileList = (files: readonly PublishedFile[]): string =>
  files.map((file) => `${JSON.stringify(file)}\n`).join('');

/**
 * What a receipt names of `files`; where they are too many, `write` gets the list of all, and answers what became of it. The list comes first: without
 * it nobody knows of the others.
 */
export async function namedOf(
  files: readonly PublishedFile[],
  write: (list: string) => Promise<PublishedFile>,
): Promise<PublishedFile[]> {
  if (files.length <= mostNamed) return [...files];
  const list = await write(fileList(files));
  // Also what a trainer's pages show, which has no end either.
  const isArtifact = ({ path }: PublishedFile) => path.startsWith('artifacts/') || path.startsWith('pages/');
  const own = files.filter((file) => !isArtifact(file));
  return [list, ...own, ...files.filter(isArtifact)].slice(0, mostNamed);
}
