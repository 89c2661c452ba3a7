/** A store in a folder of its own for each test, and what tests of it look at. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { type ArtifactStore, StoreError } from '../../stores/artifact-store.ts';
import { openStore } from '../../stores/open-store.ts';

/** The folder of this test, and the store in it. */
export let folder: string;
export let store: ArtifactStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-store-'));
  store = openStore(join(folder, 'store'));
  await store.prepare(false);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
export const inStore = (path: string) => join(folder, 'store', path);
export const pathsIn = async (at: ArtifactStore, path: string) => {
  const paths: string[] = [];
  for await (const file of at.list(path)) paths.push(file.path);
  return paths;
};
export async function local(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}
/** By digest: comparing buffers of megabytes element by element takes a minute. */
export async function expectBytes(file: string, bytes: Uint8Array): Promise<void> {
  expect(sha256(await readFile(file))).toBe(sha256(bytes));
}
export const parts = async (at: string) => (await readdir(at)).filter((name) => name.startsWith('.epochal-part-'));
export async function storeErrorOf(work: Promise<unknown>): Promise<StoreError> {
  const error = await work.then(
    () => expect.fail('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}
