/** A large checkpoint, and how long it takes into a store. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Uploaded, UploadWay } from './upload-once.ts';

/** A file of `size` MiB that no disk and no server can make smaller. */
export async function checkpointIn(folder: string, size: number): Promise<string> {
  const path = join(folder, 'weights.bin');
  const file = await open(path, 'w');
  for (let written = 0; written < size; written += 16)
    await file.write(randomBytes(Math.min(16, size - written) << 20));
  await file.sync();
  await file.close();
  return path;
}

/** In a process of its own. */
export async function stored(
  way: UploadWay,
  file: string,
  { folder, address, env }: { folder: string; address: string; env: NodeJS.ProcessEnv },
): Promise<Uploaded> {
  const program = fileURLToPath(new URL('upload-once.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, way, file, folder, address], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`a copy (${way}) ended with ${code}`);
  return JSON.parse(said) as Uploaded;
}
