/** One S3 server for all test files of `npm run test:stores`, with its buckets in a folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { gatewayBinary } from './gateway-binary.ts';

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
  const binary = await gatewayBinary();
  if ('missing' in binary) {
    // Where everything is to be tested, what cannot be is a failure.
    if (process.env.CI) throw new Error(`no S3 server to test with: ${binary.missing}`);
    process.stderr.write(`the tests of S3 are skipped: ${binary.missing}\n`);
    project.provide('s3', null);
    return async () => undefined;
  }
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-s3-'));
  // Its metadata beside the objects: not every file system of a test machine has extended attributes.
  const [folder, metadata] = [join(scratch, 'buckets'), join(scratch, 'metadata')];
  for (const one of [join(folder, testBucket), metadata]) await mkdir(one, { recursive: true });
  const [accessKey, secretKey] = ['tests-of-epochal', 'not-a-secret-of-anybody'];
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn(
    binary.path,
    ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', '--sidecar', metadata, folder],
    {
      env: { ...process.env, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)));
  for (let tries = 0; !(await answers(endpoint)); tries += 1) {
    if (child.exitCode !== null || tries > 600) throw new Error(`the S3 server did not start: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  project.provide('s3', { endpoint, folder, accessKey, secretKey });
  return async () => {
    child.kill();
    await once(child, 'close');
    await rm(scratch, { recursive: true, force: true });
  };
}

const answers = (endpoint: string) =>
  fetch(endpoint).then(
    () => true,
    () => false,
  );

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
