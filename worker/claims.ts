/**
 * Whose files these are: the claim of an output folder (`life.json`, its first file), and that of a run folder (`run.json`).
 * Whoever is about to write there asks first; another life's files are left as they are.
 */
import { claimFile, claimSchema, isSameLife, type Life, placeOf } from '../contracts/life.ts';
import { type ArtifactStore, outputPath, readText } from '../stores/artifact-store.ts';
import { type RunFolder, replaceFile } from './run-folders.ts';
import { parseJson, type RunFile, readManifests, readRunFile } from './run-report.ts';

/** What is at this place belongs to another life of the run, or nobody can tell whose it is. */
export class OtherLife extends Error {
  override readonly name = 'OtherLife';
  constructor(where: string, owner: Life | null) {
    const whose = owner
      ? `execution ${owner.chain.at(-1)} in the namespace with the id ${owner.namespace}`
      : 'an unknown owner';
    super(`what is in ${where} belongs to another life of this run (${whose}), and is left untouched`);
  }
}

/** Who has claimed an output folder; null: nobody. Throws OtherLife where files are, and no claim that can be read. */
export async function outputOwner(store: ArtifactStore, output: string): Promise<Life | null> {
  const text = await readText(store, `${output}/${claimFile}`);
  if (text !== null) {
    const claim = parseJson(claimSchema, text);
    if (claim) return claim.life;
    throw new OtherLife(`${store.address}/${output}`, null);
  }
  for await (const _ of store.list(output)) throw new OtherLife(`${store.address}/${output}`, null);
  return null;
}

/** Claims an output folder that nobody has, or finds it claimed by this life. Throws OtherLife, and then nothing was written. */
export async function claimOutput(store: ArtifactStore, output: string, run: string, life: Life): Promise<void> {
  const path = `${output}/${claimFile}`;
  const owner = await outputOwner(store, output);
  if (owner === null) {
    if (await store.create(path, textOf(run, life))) return;
    return claimOutput(store, output, run, life);
  }
  if (!isSameLife(owner, life)) throw new OtherLife(`${store.address}/${output}`, owner);
  if (goesOn(owner, life)) await store.write(path, textOf(run, life));
}

/** The place of a life that begins: the run id where nobody has claimed that, else one of its own. Claims it. */
export async function claimPlace(
  store: ArtifactStore,
  { project, run }: { project: string; run: string },
  life: Life,
): Promise<string> {
  try {
    await claimOutput(store, outputPath(project, run), run, life);
    return run;
  } catch (error) {
    if (!(error instanceof OtherLife)) throw error;
    const place = placeOf(run, life.chain);
    await claimOutput(store, outputPath(project, place), run, life);
    return place;
  }
}

/**
 * Throws OtherLife when the folder is there and another life's; answers whose it is, null while it is nobody's. Of its own it notes the execution that asks: those before are
 * forgotten, by the server with time and by a chain that grows, and with the last of them whose folder it is. A disk that is full keeps
 * nobody from stopping or landing.
 */
export async function requireFolder(folder: RunFolder, life: Life): Promise<Life | null> {
  const file = await readRunFile(folder);
  if (!file) {
    if ((await readManifests(folder)).length === 0) return null;
    throw new OtherLife(folder.path, null);
  }
  if (!isSameLife(file.life, life)) throw new OtherLife(folder.path, file.life);
  if (!goesOn(file.life, life)) return file.life;
  await replaceFile(folder.config, JSON.stringify({ ...file, life })).catch(() => undefined);
  return life;
}

/** Writes `run.json`, from which on the folder is this life's. Throws OtherLife when it is another's. */
export async function claimFolder(
  folder: RunFolder,
  { config, origin }: Pick<RunFile, 'config' | 'origin'>,
  host: string,
  life: Life,
): Promise<void> {
  const claimed = (await requireFolder(folder, life)) ?? life;
  const file: RunFile = { run: folder.run, config, host, life: claimed, origin };
  await replaceFile(folder.config, JSON.stringify(file));
}

/** Whether `life` is the same one, some executions later. */
export const goesOn = (claimed: Life, life: Life) =>
  claimed.chain.at(-1) !== life.chain.at(-1) && life.chain.includes(claimed.chain.at(-1) ?? '');

const textOf = (run: string, life: Life) => `${JSON.stringify({ run, life }, null, 2)}\n`;
