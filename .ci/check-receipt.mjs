/** Reads a receipt on stdin and compares every file that it names with what lies in the output folder. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const receipt = JSON.parse(readFileSync(0, 'utf8'));
if (receipt.outcome !== 'completed') throw new Error(`the outcome is ${receipt.outcome}`);
const files = [...receipt.files, ...receipt.checkpoints.flatMap((checkpoint) => checkpoint.files)];
if (receipt.checkpoints.length === 0) throw new Error('no checkpoint was published');
for (const { path, sha256, size } of files) {
  const content = readFileSync(join(receipt.outputFolder, path));
  if (content.length !== size) throw new Error(`${path} has ${content.length} bytes, not ${size}`);
  if (createHash('sha256').update(content).digest('hex') !== sha256) throw new Error(`${path} has another sha256`);
}
process.stdout.write(`${files.length} published files have the size and sha256 of the receipt\n`);
