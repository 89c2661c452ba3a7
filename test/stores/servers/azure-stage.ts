/** A store of its own on the Azure server for each test, reached through a proxy that breaks what it is told to. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import type { ArtifactStore } from '../../../stores/artifact-store.ts';
import { AzureBucket } from '../../../stores/azure-bucket.ts';
import { ObjectStore, type ObjectStoreOptions } from '../../../stores/object-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import { type AzureServer, testContainer } from './azure-server.ts';
import { FaultProxy } from './fault-proxy.ts';

export { testContainer };
export const hasAzure = inject('azure') !== null;
export let proxy: FaultProxy;
/** For local files. */
export let folder: string;
export let address: string;
export let store: ArtifactStore;

export const server = (): AzureServer => inject('azure') ?? raise();
const raise = () => {
  throw new Error('there is no Azure server');
};

/** What a process needs to use the server as a client of Azure does; through the proxy unless told otherwise. */
export const azureEnvironment = (endpoint = proxy.endpoint): Record<string, string> => ({
  AZURE_STORAGE_ACCOUNT: server().account,
  AZURE_STORAGE_KEY: server().key,
  AZURE_STORAGE_SERVICE_ENDPOINT: `${endpoint}/${server().account}`,
});

/** The hooks of a test file. */
export function onAzure(): void {
  let before: NodeJS.ProcessEnv;
  beforeAll(async () => {
    before = { ...process.env };
    proxy = await FaultProxy.to(server().endpoint);
    Object.assign(process.env, azureEnvironment());
  });
  afterAll(async () => {
    process.env = before;
    await proxy.close();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'epochal-azure-test-'));
    address = `az://${testContainer}/${randomUUID()}/store`;
    store = openStore(address);
    await store.prepare(false);
    proxy.heal();
  });
  afterEach(async () => {
    proxy?.heal();
    await rm(folder, { recursive: true, force: true });
  });
}

/** The prefix of all keys of the store. */
export const prefix = (): string => address.slice(`az://${testContainer}/`.length);

/** The same store as another process opens it, with parts of a mebibyte, so that a file of several is small. */
export const inSmallParts = ({
  pageSize,
  ...options
}: Partial<ObjectStoreOptions> & { pageSize?: number } = {}): ObjectStore =>
  new ObjectStore({
    bucket: new AzureBucket(testContainer, { partBytes: smallPart, ...(pageSize ? { pageSize } : {}) }),
    prefix: prefix(),
    isStore: true,
    identity: null,
    ...options,
  });
export const smallPart = 1 << 20;

/** That one gives up after few tries. */
export const impatient = (options: Partial<ObjectStoreOptions> = {}): ObjectStore =>
  inSmallParts({ retries: { ...patient, tries: 2, firstMs: 5 }, ...options });

export async function local(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}
