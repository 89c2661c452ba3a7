/** What a folder holds, to compare it with itself later. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesBelow } from '../../worker/run-folders.ts';

/** Each file below a folder with all its bytes, in base64. */
export async function contentOf(folder: string): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for await (const path of filesBelow(folder)) content[path] = (await readFile(join(folder, path))).toString('base64');
  return content;
}
