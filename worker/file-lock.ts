/**
 * A lock between processes that the kernel releases whatever happens to them. Node cannot flock; Python, which is
 * needed anyway, can.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { programEnvironment } from './program-environment.ts';
import type { PythonInterpreter } from './python-tools.ts';

const locker = `
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
`;

/** Waits for the lock. A process holds it that ends with the pipe to us: closed by `release`, or by our death. */
export async function lockFile(
  python: PythonInterpreter,
  file: string,
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  const holder = spawn(python.path, ['-I', '-c', locker, file], {
    env: programEnvironment(),
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = once(holder, 'close');
  const release = async () => {
    holder.kill('SIGKILL');
    await ended;
  };
  try {
    await once(holder.stdout, 'readable', signal ? { signal } : {});
    if (holder.stdout.read() === null) throw new Error(`the lock ${file} could not be taken: is its folder writable?`);
    return release;
  } catch (error) {
    await release();
    signal?.throwIfAborted();
    throw error;
  }
}
