/** What an upload to Google Cloud Storage keeps in the names of its parts, the checksum of what they are put together to, and answers that are none. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { crc32cOfBoth, crc32cOfText, crc32cText } from '../../stores/crc32c.ts';
import { credentialsError, refusal } from '../../stores/gcs-errors.ts';
import { objectOf, pageOf } from '../../stores/gcs-object.ts';
import { composedKey, partKey, partNameBytes, partOf, partsPrefix } from '../../stores/gcs-parts.ts';
import { newUploadId } from '../../stores/upload-id.ts';

/** Bit by bit, as it is defined. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

it('is that of RFC 3720, as Google writes it', () => {
  expect(crc32cText(crc32c(Buffer.from('123456789')))).toBe(Buffer.from('e3069283', 'hex').toString('base64'));
  expect(crc32cOfText(crc32cText(0xe3069283))).toBe(0xe3069283);
  for (const none of [undefined, '', 'AAAA', 'AAAAAAAA']) expect(crc32cOfText(none)).toBeNull();
});

it.each([
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
  [5, 1000],
  [10_000, 7],
  [65_536, 65_537],
])('of %i bytes and then %i is that of all of them', (first, second) => {
  const [a, b] = [randomBytes(first), randomBytes(second)];
  expect(crc32cOfBoth(crc32c(a), crc32c(b), second)).toBe(crc32c(Buffer.concat([a, b])));
});

it('of lengths beyond 32 bits goes by their sum', () => {
  const [a, b, c] = [0x12345678, 0x9abcdef0, 0x0fedcba9];
  const [long, longer] = [5_000_000_000, 7_000_000_001];
  const atOnce = crc32cOfBoth(a, crc32cOfBoth(b, c, longer), long + longer);
  expect(crc32cOfBoth(crc32cOfBoth(a, b, long), c, longer)).toBe(atOnce);
});

it('has the key, upload, number and digest of a part in its name, within the bytes that are left for it', () => {
  const [upload, sha256] = [newUploadId(Date.now()), randomBytes(32)];
  for (const key of ['a/file', 'a/ä\n.epochal-upload-x/file', 'x'.repeat(100)]) {
    const name = partKey(key, upload, 10_000, sha256);
    expect(partOf(name)).toEqual({ key, upload, number: 10_000, sha256: Buffer.from(sha256) });
    expect(Buffer.byteLength(name) - Buffer.byteLength(key)).toBe(partNameBytes);
    expect(name.startsWith(partsPrefix(key, upload))).toBe(true);
    expect(partOf(composedKey(key, upload, 3, 2))).toEqual({ key, upload, number: 3, sha256: null });
  }
  for (const file of [
    'a/file',
    'a/.epochal-upload-x',
    'a.epochal-upload-0123456789abcdef/1',
    `${'a'.repeat(9)}/00001-00`,
  ])
    expect(partOf(file)).toBeNull();
});

it('takes no answer for one of Google that is none: it is asked again', () => {
  expect(objectOf({ name: 'a', size: '7', generation: '1' })).toMatchObject({ name: 'a', size: 7 });
  expect(pageOf({})).toEqual({});
  for (const other of [() => objectOf('<html>'), () => objectOf({}), () => pageOf({ items: [{}] })])
    expect(other).toThrow(
      expect.objectContaining({ trouble: 'broken', message: 'the answer is none that Google Cloud Storage gives' }),
    );
});

it('says of credentials that are none what is wrong, and keeps nothing of what their file has', () => {
  for (const [error, trouble] of [
    [new SyntaxError(`Unexpected token 't', "topsecret" is not valid JSON`), 'refused'],
    [Object.assign(new Error('topsecret'), { code: 'ENOTFOUND' }), 'broken'],
  ] as const) {
    const told = credentialsError(error);
    expect(told.trouble).toBe(trouble);
    expect(`${told.message} ${told.cause}`).not.toContain('topsecret');
  }
});

it.each([
  [`Provided MD5 hash "a" doesn't match calculated MD5 hash "b".`, 'damaged'],
  [`Provided CRC32C "a" doesn't match calculated CRC32C "b".`, 'damaged'],
  ['Invalid argument: object artifacts/checksum-md5.txt', 'refused'],
])('knows by its answer whether bytes arrived as others: %s', (message, trouble) => {
  const text = JSON.stringify({ error: { message } });
  expect(refusal({ status: 400, headers: new Headers(), text }).trouble).toBe(trouble);
});
