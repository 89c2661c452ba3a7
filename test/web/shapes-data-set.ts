/** A small data set of drawn shapes with boxes, by the generator that the trainers' examples use. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureEnvironment } from '../../worker/python-environments.ts';

const makeShapes = fileURLToPath(new URL('../../trainers/examples/make_shapes.py', import.meta.url));

export async function makeShapesDataSet(folder: string, format = 'yolo'): Promise<void> {
  const { python } = await ensureEnvironment({ requirements: ['numpy==2.4.6', 'pillow==13.0.0', 'PyYAML==6.0.3'] });
  await promisify(execFile)(python, [makeShapes, '--format', format, '--count', '48', '--size', '160', folder]);
}
