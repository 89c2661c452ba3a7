/** The CRC32C of bytes put together, from those of its parts: what Google Cloud Storage tells of an object that it composed. */

const polynomial = 0x82f63b78;

/** The CRC of A and then B, which has `length` bytes. */
export function crc32cOfBoth(a: number, b: number, length: number): number {
  // What `length` zero bytes behind A make of its CRC, by squaring what one zero bit does: an operator on 32 bits is 32 columns.
  let operator = squared(squared(squared(zeroBit)));
  let crc = a;
  for (let left = length; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) crc = applied(operator, crc);
    operator = squared(operator);
  }
  return (crc ^ b) >>> 0;
}

/** As Google writes it: four bytes in base64, the highest first. */
export const crc32cText = (crc: number): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes.toString('base64');
};

/** Null where it is none. */
export function crc32cOfText(text: string | undefined): number | null {
  const bytes = Buffer.from(text ?? '', 'base64');
  return bytes.length === 4 ? bytes.readUInt32BE(0) : null;
}

const zeroBit: readonly number[] = [polynomial, ...Array.from({ length: 31 }, (_, bit) => 2 ** bit)];

function applied(operator: readonly number[], vector: number): number {
  let sum = 0;
  for (let bit = 0; bit < 32; bit += 1) if ((vector >>> bit) & 1) sum ^= operator[bit] ?? 0;
  return sum >>> 0;
}

const squared = (operator: readonly number[]): number[] => operator.map((column) => applied(operator, column));
