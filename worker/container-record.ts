/**
 * What a worker keeps of a session in a container, for the workers after it: beside the run folders, since a trainer may write anything into its
 * own, and must not choose which container, process or socket is taken for its session.
 */
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type RunFolder, readIfThere, replaceFile } from './run-folders.ts';
import { parseJson } from './run-report.ts';

const containerRecordSchema = z.object({
  session: z.string(),
  /** Program that has it: `docker` or `podman`. */
  engine: z.string(),
  /** Of the container. */
  name: z.string(),
  /** On which its trainer listens. */
  socket: z.string(),
  slot: z.int().min(0),
  startedAt: z.iso.datetime(),
});
export type ContainerRecord = z.infer<typeof containerRecordSchema>;

/** Null where the session of this folder, if there is one, is in none. */
export async function readContainerRecord(folder: RunFolder): Promise<ContainerRecord | null> {
  const text = await readIfThere(folder.container);
  return text === null ? null : parseJson(containerRecordSchema, text);
}

/** Before the container is made: whatever kills this worker, the next one finds it. */
export async function writeContainerRecord(folder: RunFolder, record: ContainerRecord): Promise<void> {
  await mkdir(dirname(folder.container), { recursive: true, mode: 0o700 });
  await replaceFile(folder.container, JSON.stringify(record), 0o600);
}

/** `session`: only where it is still that one's. */
export async function removeContainerRecord(folder: RunFolder, session: string): Promise<void> {
  if ((await readContainerRecord(folder))?.session === session) await rm(folder.container, { force: true });
}
