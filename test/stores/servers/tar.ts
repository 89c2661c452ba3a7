/** A folder as a tar archive (ustar), with paths of up to 255 bytes. */

const block = 512;

export function tarOf(files: readonly { path: string; bytes: Buffer }[]): Buffer {
  return Buffer.concat([
    ...files.flatMap(({ path, bytes }) => [header(path, bytes.length), padded(bytes)]),
    Buffer.alloc(2 * block),
  ]);
}

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((block - (bytes.length % block)) % block)]);

function header(path: string, size: number): Buffer {
  const at = Buffer.byteLength(path) > 100 ? path.lastIndexOf('/', 154) : -1;
  const bytes = Buffer.alloc(block);
  const octal = (value: number, offset: number, length: number) =>
    bytes.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset);
  bytes.write(path.slice(at + 1), 0, 100);
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  bytes.write('        0', 148);
  bytes.write('ustar\x0000', 257);
  bytes.write(path.slice(0, Math.max(0, at)), 345, 155);
  bytes.write(
    `${bytes
      .reduce((sum, one) => sum + one, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return bytes;
}
