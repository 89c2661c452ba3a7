/** What is signed for a link to Google Cloud Storage: cases of Google's own conformance tests (googleapis/conformance-tests, storage/v1). */
import { expect, it } from 'vitest';
import { signedAddress } from '../../stores/gcs-link.ts';

const email = 'test-iam-credentials@dummy-project-id.iam.gserviceaccount.com';

it.each([
  ['test-bucket', 'test-object', 10, '2019-02-01', '00e2fb794ea93d7adb703edaebdd509821fcc7d4f1a79ac5c8d2b394df109320'],
  ['test-bucket', 'test-object', 20, '2019-03-01', '779f19fdb6fd381390e2d5af04947cf21750277ee3c20e0c97b7e46a1dff8907'],
  [
    'test-bucket2',
    'test-object2',
    10,
    '2019-02-01',
    'a139afbf35ac30e9864f63197f79609731ab1b0ca166e2a456dba156fcd3f9ce',
  ],
  [
    ...(['test-bucket', '/path/with/slashes/under_score/amper&sand/file.ext', 10, '2019-02-01'] as const),
    '63c601ecd6ccfec84f1113fc906609cbdf7651395f4300cecd96ddd2c35164f8',
  ],
])('%s, %s, for %i s from %s', async (bucket, key, seconds, day, digest) => {
  const signed: string[] = [];
  const sign = async (text: string) => {
    signed.push(text);
    return Buffer.from('ab', 'hex').toString('base64');
  };
  const how = { seconds, now: Date.parse(`${day}T09:00:00Z`), signer: { email, sign } };
  const link = await signedAddress('https://storage.googleapis.com', { bucket, key }, {}, how);
  const date = day.replaceAll('-', '');
  expect(signed).toEqual([`GOOG4-RSA-SHA256\n${date}T090000Z\n${date}/auto/storage/goog4_request\n${digest}`]);
  expect(link).toBe(
    `https://storage.googleapis.com/${bucket}/${key.replace('&', '%26')}?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=${encodeURIComponent(email)}%2F${date}%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=${date}T090000Z&X-Goog-Expires=${seconds}&X-Goog-SignedHeaders=host&X-Goog-Signature=ab`,
  );
});

it('has no address where nobody may sign', async () => {
  const how = { seconds: 1, now: 0, signer: { email, sign: async () => null } };
  expect(await signedAddress('https://storage.googleapis.com', { bucket: 'b', key: 'k' }, {}, how)).toBeNull();
});
