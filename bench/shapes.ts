/** The small data set of coloured shapes, for trainers that need images. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const script = fileURLToPath(new URL('../trainers/examples/make_shapes.py', import.meta.url));

/** Makes `count` images of 160 × 160 pixels as COCO, a quarter of them for validation; answers the folder. */
export async function makeShapes(python: string, folder: string, count: number): Promise<string> {
  await promisify(execFile)(python, [script, '--format', 'coco', '--count', String(count), join(folder)]);
  return folder;
}
