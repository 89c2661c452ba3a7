/** One S3 server for all test files of `npm run test:stores`, with its buckets in a folder. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startServer } from './server-process.ts';
import { s3Program } from './server-programs.ts';

export interface S3Server {
  /** `http://127.0.0.1:PORT`. */
  endpoint: string;
  /** A folder for each bucket. */
  folder: string;
  accessKey: string;
  secretKey: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Null where there is no server and none can be had. */
    s3: S3Server | null;
  }
}

export const testBucket = 'epochal-tests';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-s3-'));
  // Its metadata beside the objects: not every file system of a test machine has extended attributes.
  const [folder, metadata] = [join(scratch, 'buckets'), join(scratch, 'metadata')];
  for (const one of [join(folder, testBucket), metadata]) await mkdir(one, { recursive: true });
  const [accessKey, secretKey] = ['tests-of-epochal', 'not-a-secret-of-anybody'];
  const server = await startServer(
    'S3',
    await s3Program(),
    (port) => ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', '--sidecar', metadata, folder],
    { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
  );
  project.provide('s3', server && { endpoint: server.endpoint, folder, accessKey, secretKey });
  return async () => {
    await server?.stop();
    await rm(scratch, { recursive: true, force: true });
  };
}
