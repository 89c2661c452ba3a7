/** A store of its own on the S3 server for each test, reached through a proxy that breaks what it is told to. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import type { ArtifactStore } from '../../../stores/artifact-store.ts';
import { ObjectStore } from '../../../stores/object-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import { S3Bucket } from '../../../stores/s3-bucket.ts';
import { FaultProxy } from './fault-proxy.ts';
import { type S3Server, testBucket } from './s3-server.ts';

export { testBucket };
export const hasS3 = inject('s3') !== null;
export let proxy: FaultProxy;
/** For local files. */
export let folder: string;
export let address: string;
export let store: ArtifactStore;

export const server = (): S3Server => inject('s3') ?? raise();
const raise = () => {
  throw new Error('there is no S3 server');
};

/** What a process needs to use the server as a client of AWS does; through the proxy unless told otherwise. */
export const awsEnvironment = (endpoint = proxy.endpoint): Record<string, string> => ({
  AWS_ENDPOINT_URL_S3: endpoint,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: server().accessKey,
  AWS_SECRET_ACCESS_KEY: server().secretKey,
});

/** The hooks of a test file. */
export function onS3(): void {
  let before: NodeJS.ProcessEnv;
  beforeAll(async () => {
    before = { ...process.env };
    proxy = await FaultProxy.to(server().endpoint);
    Object.assign(process.env, awsEnvironment());
  });
  afterAll(async () => {
    process.env = before;
    await proxy.close();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'epochal-s3-test-'));
    address = `s3://${testBucket}/${randomUUID()}/store`;
    store = openStore(address);
    await store.prepare(false);
    proxy.heal();
  });
  afterEach(async () => {
    proxy?.heal();
    await rm(folder, { recursive: true, force: true });
  });
}

/** The same store as another process opens it, which gives up after few tries. */
export const impatient = (staleMs?: number, idleMs = patient.idleMs, tries = 2): ObjectStore =>
  new ObjectStore({
    bucket: new S3Bucket(testBucket),
    prefix: address.slice(`s3://${testBucket}/`.length),
    isStore: true,
    identity: null,
    retries: { ...patient, tries, firstMs: 5, idleMs },
    ...(staleMs === undefined ? {} : { staleMs }),
  });

/** Where the server has what is at this path. */
export const onServer = (path: string): string => join(server().folder, address.slice('s3://'.length), path);

export async function local(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

/** Requests for what is at this path of the store, of a method. */
export const requests = (method: string, path: string) =>
  proxy.seen.filter((one) => one.method === method && one.url.includes(`/${path}`));

/** Ids of the uploads in this store that were begun and not ended. */
export const uploadsLeft = async () => {
  const left: string[] = [];
  const prefix = address.split('/').slice(3).join('/');
  for await (const { upload } of new S3Bucket(testBucket).uploads(prefix, {})) left.push(upload);
  return left;
};
