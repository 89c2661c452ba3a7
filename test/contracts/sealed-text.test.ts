/** Text that only who asked can read. */
import { expect, it } from 'vitest';
import { newAnswerKey, type SealedText, sealedTextSchema, sealText } from '../../contracts/sealed-text.ts';

const text = 'https://bucket.example.org/p/weights.bin?X-Amz-Signature=0123é';

it('is opened by who asked, and is not in what travels', async () => {
  const key = await newAnswerKey();
  const sealed = sealedTextSchema.parse(JSON.parse(JSON.stringify(await sealText(text, key.publicKey, 'a file'))));
  const travelled = `${JSON.stringify(sealed)}${Object.values(sealed).map((part) => Buffer.from(part, 'base64').toString('latin1'))}`;
  for (const part of ['Signature', 'example.org', '0123']) expect(travelled).not.toContain(part);
  expect(await key.open(sealed, 'a file')).toBe(text);
  // No two answers are alike, so that nobody learns from one what another one is.
  expect((await sealText(text, key.publicKey, 'a file')).text).not.toBe(sealed.text);
});

it('is opened by nobody else, for nothing else, and not where it was changed', async () => {
  const [key, other] = [await newAnswerKey(), await newAnswerKey()];
  const sealed = await sealText(text, key.publicKey, 'a file');
  await expect(other.open(sealed, 'a file')).rejects.toThrow();
  await expect(key.open(sealed, 'another file')).rejects.toThrow();
  for (const part of ['key', 'nonce', 'text'] as const) {
    const bytes = Buffer.from(sealed[part], 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const changed: SealedText = { ...sealed, [part]: bytes.toString('base64') };
    await expect(key.open(changed, 'a file'), part).rejects.toThrow();
  }
});
