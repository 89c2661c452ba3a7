/**
 * One worker per data folder. Two would share one host id, and take each other's sessions, folders and trainers for
 * their own.
 *
 * The lock is flock's, on a file that this process holds open: the kernel releases it with the process, however that
 * one ends, and no other process has to live for it. Node cannot flock, but a program that it starts can lock the open
 * file that it inherits, and the lock stays with the file when the program has ended.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { makeWritable } from './machine-folders.ts';
import { makePrivate } from './private-folder.ts';
import { findPython } from './python-tools.ts';
import { hostId } from './run-folders.ts';

/** Another worker has the data folder; the message names it. */
export class DataFolderTaken extends Error {
  override readonly name = 'DataFolderTaken';
}

/** What the worker that has the folder writes into the locked file. */
const holderSchema = z.object({ host: z.string(), machine: z.string(), pid: z.int().positive() });

/** A worker that was killed may be dying for a moment yet: the memory of a process goes before its locks. */
const dyingMs = 3_000;
const askEveryMs = 100;

const lockInherited = `
import fcntl, sys
try:
    fcntl.flock(3, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(75)
`;

/**
 * Takes the data folder for this worker, and answers how to give it back. Throws DataFolderTaken when another worker
 * still has it after a moment, and FolderProblem when it cannot be written.
 */
export async function takeDataFolder(dataFolder: string, patienceMs = dyingMs): Promise<() => Promise<void>> {
  await makeWritable(dataFolder);
  await makePrivate(dataFolder);
  const python = await findPython();
  // Opened without emptying it: what it says of the worker that has it is read below.
  const file = await open(join(dataFolder, 'worker.lock'), 'a+', 0o600);
  try {
    for (const end = performance.now() + patienceMs; !(await lock(file, python.path)); await delay(askEveryMs)) {
      if (performance.now() > end) throw taken(dataFolder, await readHolder(file));
    }
    await file.truncate();
    const holder = { host: await hostId(dataFolder), machine: hostname(), pid: process.pid };
    await file.write(JSON.stringify(holder));
    return () => file.close();
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** False when another process has the lock. */
async function lock(file: FileHandle, python: string): Promise<boolean> {
  const locker = spawn(python, ['-I', '-S', '-c', lockInherited], { stdio: ['ignore', 'ignore', 'pipe', file.fd] });
  let said = '';
  locker.stderr?.on('data', (chunk) => {
    said += String(chunk);
  });
  const [code] = await once(locker, 'close');
  if (code === 0) return true;
  if (code === 75) return false;
  throw new Error(
    `the data folder cannot be locked for this worker (flock on worker.lock): ${said.trim().split('\n').at(-1)}`,
  );
}

async function readHolder(file: FileHandle): Promise<z.infer<typeof holderSchema> | null> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
  try {
    return holderSchema.parse(JSON.parse(buffer.toString('utf8', 0, bytesRead)));
  } catch {
    return null;
  }
}

function taken(dataFolder: string, holder: z.infer<typeof holderSchema> | null): DataFolderTaken {
  const who = holder ? `host ${holder.host}, process ${holder.pid} on ${holder.machine}` : 'another process';
  return new DataFolderTaken(
    `the data folder ${dataFolder} belongs to a worker that is running (${who}). One worker per data folder: to offer ` +
      'more trainers, stop that worker (or epochal up) and start it again with EPOCHAL_TRAINERS; for a second worker on ' +
      'this machine, give it another folder in EPOCHAL_DATA_DIR',
  );
}
