/** Stores on the S3 server. */
import { join } from 'node:path';
import { inject } from 'vitest';
import { S3Bucket } from '../../../stores/s3-bucket.ts';
import { ObjectStage } from './object-stage.ts';
import { type S3Server, testBucket } from './s3-server.ts';

export { testBucket };
export const hasS3 = inject('s3') !== null;

export function s3Server(): S3Server {
  const server = inject('s3');
  if (server === null) throw new Error('there is no S3 server');
  return server;
}

export const s3 = new ObjectStage(
  `s3://${testBucket}`,
  (sizes) => new S3Bucket(testBucket, sizes),
  s3Server,
  (endpoint) => ({
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: s3Server().accessKey,
    AWS_SECRET_ACCESS_KEY: s3Server().secretKey,
  }),
  // The least that S3 takes.
  5 << 20,
);

/** Where the server has what is at this path. */
export const onServer = (path: string): string => join(s3Server().folder, s3.address.slice('s3://'.length), path);

/** Requests for what is at this path of the store, of a method. */
export const requests = (method: string, path: string) =>
  s3.proxy.seen.filter((one) => one.method === method && one.url.includes(`/${path}`));
