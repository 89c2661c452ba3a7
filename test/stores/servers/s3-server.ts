/** One S3 server for all test files of `npm run test:stores`, with its buckets in a folder. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import type { TestProject } from 'vitest/node';
import { startServer } from './server-process.ts';
import { s3Program } from './server-programs.ts';

export interface S3Server {
  /** `http://127.0.0.1:PORT`. */
  endpoint: string;
  pid: number;
  /** A folder for each bucket. */
  folder: string;
  accessKey: string;
  secretKey: string;
  /** Of accounts that have no bucket: one may do nothing, and one read the bucket of the tests. */
  others: { nobody: string; reader: string; secretKey: string };
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
  const [folder, metadata, accounts] = ['buckets', 'metadata', 'accounts'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  for (const one of [join(folder, testBucket), metadata, accounts]) await mkdir(one, { recursive: true });
  const [accessKey, secretKey] = ['tests-of-epochal', 'not-a-secret-of-anybody'];
  const others = { nobody: 'nobody-of-epochal', reader: 'reader-of-epochal', secretKey };
  const account = (access: string) => ({
    access,
    secret: secretKey,
    role: 'user',
    userID: 0,
    groupID: 0,
    projectID: 0,
  });
  const accessAccounts = Object.fromEntries([others.nobody, others.reader].map((access) => [access, account(access)]));
  await writeFile(join(accounts, 'users.json'), JSON.stringify({ accessAccounts }));
  const server = await startServer(
    'S3',
    await s3Program(),
    (port) => [
      ...['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', '--iam-dir', accounts],
      ...['posix', '--sidecar', metadata, folder],
    ],
    { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
  );
  if (server)
    await allowReading(server.endpoint, { accessKeyId: accessKey, secretAccessKey: secretKey }, others.reader);
  project.provide('s3', server && { endpoint: server.endpoint, pid: server.pid, folder, accessKey, secretKey, others });
  return async () => {
    await server?.stop();
    await rm(scratch, { recursive: true, force: true });
  };
}

async function allowReading(
  endpoint: string,
  credentials: { accessKeyId: string; secretAccessKey: string },
  reader: string,
): Promise<void> {
  const of = `arn:aws:s3:::${testBucket}`;
  const allow = (actions: string[], resource: string) => ({
    ...{ Effect: 'Allow', Principal: { AWS: [reader] }, Action: actions, Resource: resource },
  });
  const policy = {
    Version: '2012-10-17',
    Statement: [allow(['s3:GetObject'], `${of}/*`), allow(['s3:ListBucket', 's3:ListBucketMultipartUploads'], of)],
  };
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  await client.send(new PutBucketPolicyCommand({ Bucket: testBucket, Policy: JSON.stringify(policy) }));
  client.destroy();
}
