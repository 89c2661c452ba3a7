/** One file into a store, in a process of its own, so that its memory is that of the copy alone. Prints what it took. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { openStore } from '../stores/open-store.ts';

export type UploadWay = 'ours' | 'sdk' | 'sdkSha256';

export interface Uploaded {
  seconds: number;
  /** Resident, at most, beyond what the process had before. */
  extraBytes: number;
  /** From files and sockets; 0 where there is no /proc. */
  bytesRead: number;
}

/** `folder` has the SDK; `address` is that of a store: for the SDK, of a bucket. */
const [way = 'ours', file = '', folder = '', address = ''] = process.argv.slice(2);
const prefix = `bench-${randomUUID()}`;
const store = openStore(`${address}/${prefix}`);

async function bySdk(from: string, to: string, parameters: object, options: object): Promise<void> {
  const require = createRequire(join(folder, 'package.json'));
  const { Upload } = require('@aws-sdk/lib-storage');
  const { S3Client } = require('@aws-sdk/client-s3');
  const client = new S3Client({ forcePathStyle: true });
  const Body = createReadStream(from);
  await new Upload({
    client,
    params: { Bucket: new URL(address).host, Key: `${prefix}/${to}`, Body, ...parameters },
    ...options,
  }).done();
}

const ways: Record<UploadWay, (from: string, to: string) => Promise<unknown>> = {
  ours: (from, to) => store.publish(from, to),
  sdk: (from, to) => bySdk(from, to, {}, {}),
  sdkSha256: (from, to) => bySdk(from, to, { ChecksumAlgorithm: 'SHA256' }, { partSize: 16 << 20 }),
};

const upload = ways[way as UploadWay];
await store.prepare(false);
// What is loaded with the first request is no part of an upload.
const small = join(folder, 'small');
await writeFile(small, 'small');
await upload(small, 'small');
globalThis.gc?.();
const idle = process.memoryUsage.rss();
let most = idle;
const watch = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss());
}, 20);
const bytesRead = async () =>
  Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8').catch(() => ''))?.[1] ?? 0);
const readBefore = await bytesRead();
const began = performance.now();
await upload(file, 'weights.bin');
const seconds = (performance.now() - began) / 1000;
const readAfter = await bytesRead();
clearInterval(watch);
await store.remove('weights.bin');
const told: Uploaded = { seconds, extraBytes: most - idle, bytesRead: readAfter - readBefore };
process.stdout.write(JSON.stringify(told));
// Connections that are kept alive hold up nobody.
process.exit(0);
