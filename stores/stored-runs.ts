/** The runs that a store has, by their output folders: what is there, whose it is, and what their receipts name. */
import { isBefore, type Position } from '../contracts/checkpoint.ts';
import { dataReportFile } from '../contracts/data-report.ts';
import { claimFile, claimSchema, type Life } from '../contracts/life.ts';
import { name, placeName, relativePath } from '../contracts/names.ts';
import { eventsFile } from '../contracts/observed-events.ts';
import { type PublishedFile, publishedFileSchema, type Receipt, receiptSchema } from '../contracts/receipt.ts';
import { type ArtifactStore, DamagedError, experimentsFolder, readText, StoreError } from './artifact-store.ts';
import { fileList, fileListName, mostNamed } from './file-list.ts';
import { hexOf, sha256Of } from './sha256.ts';

export const receiptFile = 'receipt.json';

export interface StoredRun {
  /** `PROJECT/RUN`; with `@` and 8 digits after it for another life of the run. */
  id: string;
  place: string;
  /** Path of its folder in the store. */
  output: string;
  /** Sizes by path inside that folder, as they were listed. */
  files: ReadonlyMap<string, number>;
}

/** Whether it names a project, or a run of one, as `storedRuns` takes them. */
export function isRunOrProject(chosen: string): boolean {
  const [project, place, ...more] = chosen.split('/');
  return (
    more.length === 0 && name.safeParse(project).success && (place === undefined || placeName.safeParse(place).success)
  );
}

/** A run or project that was chosen is not there. */
export class NotInStoreError extends StoreError {
  constructor(
    readonly chosen: string,
    store: ArtifactStore,
  ) {
    super(`${store.address} has no such ${chosen.includes('/') ? 'run' : 'project'}`, false);
  }
}

/** In order of path. `chosen`: projects and runs (`PROJECT/RUN`); none means all. Throws NotInStoreError. */
export async function* storedRuns(store: ArtifactStore, chosen: readonly string[]): AsyncGenerator<StoredRun> {
  if (chosen.length === 0) yield* runsBelow(store, experimentsFolder);
  for (const one of chosen) {
    let found = 0;
    for await (const run of runsBelow(store, `${experimentsFolder}/${one}`)) {
      found += 1;
      yield run;
    }
    if (found === 0) throw new NotInStoreError(one, store);
  }
}

async function* runsBelow(store: ArtifactStore, folder: string): AsyncGenerator<StoredRun> {
  let run = null as (StoredRun & { files: Map<string, number> }) | null;
  for await (const { path, size } of store.list(folder)) {
    const [, project = '', place = '', ...inside] = path.split('/');
    // What people put beside runs is theirs.
    if (inside.length === 0 || !isRunOrProject(`${project}/${place}`)) continue;
    const id = `${project}/${place}`;
    if (run?.id !== id) {
      if (run) yield run;
      run = { id, place, output: `${experimentsFolder}/${id}`, files: new Map() };
    }
    run.files.set(inside.join('/'), size);
  }
  if (run) yield run;
}

/** A run that is over and has said what belongs to it. */
export interface Landed {
  receipt: Receipt;
  /** The text of `receipt.json`. */
  text: string;
  /** All files that it names, those of checkpoints too, with paths inside the output folder. */
  named: ReadonlyMap<string, PublishedFile>;
}

/** `open`: there is no receipt, so the run goes on, or nobody has landed it. `unreadable`: there is one that cannot be trusted. */
export type Landing = ({ kind: 'landed' } & Landed) | { kind: 'open' | 'unreadable'; why: string };

export async function landingOf(store: ArtifactStore, { output, files }: StoredRun): Promise<Landing> {
  const text = files.has(receiptFile) ? await textOf(store, `${output}/${receiptFile}`) : null;
  if (text === null) return { kind: 'open', why: 'it has no receipt: it is not over, or nobody has published it' };
  const receipt = parsed(receiptSchema, text);
  if (receipt === null) return { kind: 'unreadable', why: `its ${receiptFile} cannot be read` };
  const named = new Map<string, PublishedFile>();
  const more = await listedFiles(store, `${output}/${fileListName}`, files.has(fileListName), receipt);
  if (typeof more === 'string')
    return { kind: 'unreadable', why: `its ${fileListName}, which names its files, ${more}` };
  for (const file of [...namedIn(receipt), ...more]) {
    // It comes from elsewhere, and becomes a path.
    if (!relativePath.safeParse(file.path).success)
      return { kind: 'unreadable', why: `its ${receiptFile} names ${JSON.stringify(file.path)}, which is not a path` };
    named.set(file.path, file);
  }
  return { kind: 'landed', receipt, text, named };
}

/** Files that a receipt names itself. */
export const namedIn = (receipt: Receipt): PublishedFile[] => [
  ...receipt.checkpoints.flatMap((checkpoint) => checkpoint.files),
  ...receipt.files,
];

/** Those that `files.jsonl` names; none where the receipt names all. A clause where it is not the receipt's: what it leaves out may be removed. */
async function listedFiles(
  store: ArtifactStore,
  path: string,
  isThere: boolean,
  { files, filesSha256 }: Receipt,
): Promise<PublishedFile[] | string> {
  // One of an earlier publishing may lie there still, and says nothing.
  if (filesSha256 === digestOf(fileList(files))) return [];
  const named = files.find((file) => file.path === fileListName);
  // One of old tells no digest: it named fewer than that many files, or had the list behind them.
  if (!named && filesSha256 === undefined && (!isThere || files.length < mostNamed)) return [];
  const text = await textOf(store, path);
  if (text === null) return 'is missing';
  const sha256 = digestOf(text);
  if (sha256 !== (named?.sha256 ?? filesSha256) || sha256 !== (filesSha256 ?? named?.sha256))
    return 'is not that of its receipt';
  const listed: PublishedFile[] = [];
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const file = parsed(publishedFileSchema, line);
    if (file === null) return 'cannot be read';
    listed.push(file);
  }
  return listed;
}

const digestOf = (text: string): string => hexOf(sha256Of(Buffer.from(text)));

/** Null where there is none, and empty where it is damaged. */
export const textOf = (store: ArtifactStore, path: string): Promise<string | null> =>
  readText(store, path).catch((error: unknown) => {
    if (error instanceof DamagedError) return '';
    throw error;
  });

/** A clause: why more of this run may still be published; null where all of it was. */
export function whyAwaited({ publishedBytes, localFolder }: Receipt): string | null {
  if (publishedBytes === 0) return 'not all of it was published, and may still be';
  if (localFolder.kind === 'unknown')
    return `host ${localFolder.host} did not answer when it ended, and may still publish what it has`;
  return null;
}

/** Whose files these are; null where nobody has claimed them, or the claim cannot be read. */
export async function lifeOf(store: ArtifactStore, output: string): Promise<{ text: string; life: Life } | null> {
  const text = await textOf(store, `${output}/${claimFile}`);
  const claim = text === null ? null : parsed(claimSchema, text);
  return claim && text !== null ? { text, life: claim.life } : null;
}

/**
 * What belongs to a run that has landed, though no receipt names it: it is written after the receipt, tells what that is of, or is what a host that is gone
 * has left.
 */
export const ownFiles = ({ receipt }: Landed): Set<string> =>
  new Set([
    ...[claimFile, receiptFile, fileListName, eventsFile, dataReportFile],
    ...manifestsOf(receipt).map(({ path }) => path),
  ]);

/** The manifests of the checkpoints that a receipt names. */
export const manifestsOf = (receipt: Receipt) =>
  receipt.checkpoints.map((checkpoint) => ({ checkpoint, path: `checkpoints/${checkpoint.name}/checkpoint.json` }));

/** Of the checkpoints that a receipt names. */
export const newestOf = ({ checkpoints }: Receipt): Position =>
  checkpoints.reduce<Position>((last, one) => (isBefore(last, one) ? one : last), { epoch: 0, batch: 0 });

export function parsed<T>(schema: { safeParse: (value: unknown) => { data?: T } }, text: string): T | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
