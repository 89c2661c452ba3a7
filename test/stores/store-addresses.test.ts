/** Addresses of stores: what is wrong with one is one sentence, before anything is opened. */
import { expect, it } from 'vitest';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { StoreError } from '../../stores/artifact-store.ts';
import { isFolderAddress, openStore } from '../../stores/open-store.ts';

const bucketRule =
  'its bucket name is not one of S3: 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends';
const gcsRule =
  'its bucket name is not one of Google Cloud: 3 to 63 lower-case letters, digits, hyphens, underscores and dots, with a letter or digit at both ends';
const containerRule =
  'its container name is not one of Azure: 3 to 63 lower-case letters, digits and single hyphens, with a letter or digit at both ends';
const nameRule = 'its prefix must have names between single slashes, none of them "." or ".."';
const folderRule = 'its folder must have names between single slashes, none of them "." or ".."';
const noPrefix = 'it names no prefix, and a store never takes a whole bucket: choose one, such as "epochal"';

it.each([
  [
    'relative/path',
    'it is not an absolute path; a store is an absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER',
  ],
  ['', 'it is not an absolute path; a store is'],
  ['ftp://host/x', 'there is no store for "ftp:" addresses; a store is'],
  ['constructor:x', 'there is no store for "constructor:" addresses; a store is'],
  ['s4://bucket/x', 'there is no store for "s4:" addresses; a store is'],
  ['file://host/x', 'it is not a valid file: address'],
  ['s3:bucket/x', 'it does not begin with s3://'],
  ['s3:/bucket/x', 'it does not begin with s3://'],
  ['s3:', 'it does not begin with s3://'],
  ['s3://', 'it names no bucket'],
  ['s3:///x', 'it names no bucket'],
  ['s3://Bucket/x', bucketRule],
  ['s3://bu/x', bucketRule],
  [`s3://${'b'.repeat(64)}/x`, bucketRule],
  ['s3://buc_ket/x', bucketRule],
  ['s3://-bucket/x', bucketRule],
  ['s3://bucket-/x', bucketRule],
  ['s3://bu..cket/x', bucketRule],
  ['s3://bu.-cket/x', bucketRule],
  ['s3://192.168.0.1/x', bucketRule],
  ['s3://bucket:9000/x', bucketRule],
  ['s3://xn--bucket/x', bucketRule],
  ['s3://bucket?/x', bucketRule],
  ['s3://bücket/x', bucketRule],
  ['s3://key:secret@bucket/x', 'it has credentials in it, which belong in the settings of the AWS client'],
  ['s3://bucket', noPrefix],
  ['s3://bucket/', noPrefix],
  ['s3://bucket//', noPrefix],
  ['s3://bucket//x', nameRule],
  ['s3://bucket/../x', nameRule],
  ['s3://bucket/x/..', nameRule],
  ['s3://bucket/./x', nameRule],
  ['s3://bucket/x//y', nameRule],
  ['s3://bucket/x\\y', nameRule],
  ['s3://bucket/%2e%2e/x', 'its prefix is percent-encoded: write it as it is'],
  ['s3://bucket/x?versionId=1', 'its prefix has a "?" or "#", which are not part of a path'],
  ['s3://bucket/x#y', 'its prefix has a "?" or "#", which are not part of a path'],
  ['s3://bucket/x\ny', 'its prefix has a control character'],
  ['s3://bucket/x\0y', 'its prefix has a control character'],
  [`s3://bucket/${'x'.repeat(513)}`, 'its prefix has more than 512 bytes'],
  [`s3://bucket/${'ä'.repeat(300)}`, 'its prefix has more than 512 bytes'],
  ['gs:bucket/x', 'it does not begin with gs://'],
  ['gs://', 'it names no bucket'],
  ['gs://Bucket/x', gcsRule],
  ['gs://bu/x', gcsRule],
  [`gs://${'b'.repeat(64)}/x`, gcsRule],
  ['gs://-bucket/x', gcsRule],
  ['gs://bu..cket/x', gcsRule],
  ['gs://192.168.0.1/x', gcsRule],
  ['gs://google-bucket/x', gcsRule],
  ['gs://key:secret@bucket/x', 'it has credentials in it, which belong in the application default credentials'],
  ['gs://bucket', noPrefix],
  ['gs://bucket/../x', nameRule],
  ['gs://bucket/x?X-Goog-Signature=secret', 'its prefix has a "?" or "#", which are not part of a path'],
  ['az:container/x', 'it does not begin with az://'],
  ['az://', 'it names no container'],
  ['az://Container/x', containerRule],
  ['az://co/x', containerRule],
  [`az://${'c'.repeat(64)}/x`, containerRule],
  ['az://con--tainer/x', containerRule],
  ['az://-container/x', containerRule],
  ['az://container-/x', containerRule],
  ['az://$web/x', containerRule],
  ['az://account.blob.core.windows.net/container/x', containerRule],
  ['az://account:secret@container/x', 'it has an account or credentials in it, which belong in the settings'],
  ['az://container', noPrefix],
  ['az://container/', noPrefix],
  ['az://container/../x', nameRule],
  ['az://container/a//b', nameRule],
  ['az://container/x?sv=2024&sig=secret', 'its prefix has a "?" or "#", which are not part of a path'],
  ['teamfiles:', 'it does not begin with teamfiles:/; a Team Files store is teamfiles:/FOLDER'],
  ['teamfiles:results', 'it does not begin with teamfiles:/'],
  ['teamfiles:/', 'it names no folder, and a store never takes all files of a team: choose one, such as "epochal"'],
  ['teamfiles://results/x', 'it names a server or a team, which are SERVER_ADDRESS and TEAM_ID of the worker'],
  ['teamfiles:///results', 'it names a server or a team, which are SERVER_ADDRESS and TEAM_ID of the worker'],
  ['teamfiles://token:secret@host/x', 'it has credentials in it, which belong in API_TOKEN of the worker'],
  ['teamfiles:/results//x', folderRule],
  ['teamfiles:/results/../x', folderRule],
  ['teamfiles:/./x', folderRule],
  ['teamfiles:/results\\x', folderRule],
  ['teamfiles:/results?token=secret', 'its folder has a "?" or "#", which are not part of a path'],
  ['teamfiles:/a%20b', 'its folder is percent-encoded: write it as it is'],
  ['teamfiles:/a\tb', 'its folder has a control character'],
  [`teamfiles:/${'x'.repeat(513)}`, 'its folder has more than 512 bytes'],
  ['az://container/x./y', 'its prefix has a name that ends with a dot, which Azure does not keep'],
])('%j is refused', (address, why) => {
  const error = (() => {
    try {
      openStore(address);
    } catch (thrown) {
      return thrown;
    }
    return null;
  })();
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).retryable).toBe(false);
  expect((error as StoreError).message.startsWith(why)).toBe(true);
  expect((error as StoreError).message).not.toContain('secret');
});

it.each([
  ['s3://bucket/x', 's3://bucket/x'],
  ['S3://bucket/x/', 's3://bucket/x'],
  ['s3://my.bucket-1/team a/ä', 's3://my.bucket-1/team a/ä'],
  ['gs://my_bucket-1/x/', 'gs://my_bucket-1/x'],
  ['GS://results.example.org/team a/ä', 'gs://results.example.org/team a/ä'],
  ['az://container/x/', 'az://container/x'],
  ['AZ://con-tainer-1/team a/ä', 'az://con-tainer-1/team a/ä'],
  ['teamfiles:/results/', 'teamfiles:/results'],
  ['TeamFiles:/results/team a/ä', 'teamfiles:/results/team a/ä'],
  ['/mnt/store/', '/mnt/store'],
  ['file:///mnt/a%20store', '/mnt/a store'],
])('%j is the store %s', (written, address) => {
  expect(openStore(written).address).toBe(address);
  expect(isFolderAddress(written)).toBe(!/^(s3|az|gs|teamfiles):/i.test(written));
});

it.each([
  's3://key:secret@bucket/x',
  'az://container/x?sv=2024-11-04&sig=secret',
  's3://bucket/x?X-Amz-Signature=secret',
  'teamfiles://token:secret@host/x',
])('with credentials in it is refused before it is sent anywhere: %s', (store) => {
  const parsed = runConfigSchema.safeParse({ trainer: 'digits', store });
  expect(parsed.error?.issues.map(({ path, message }) => [path.join('.'), message])).toContainEqual([
    'store',
    'must have no credentials in it: a worker has its own',
  ]);
});
