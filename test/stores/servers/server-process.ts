/** A server of a provider for all test files of `npm run test:stores`, in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ServerProgram } from './server-programs.ts';

const mostAttempts = 3;
/** MLflow's takes ten seconds where nothing else runs, and a minute and a half on a busy machine. */
const startMs = 240_000;

export interface RunningServer {
  /** `http://127.0.0.1:PORT`, or with https. */
  endpoint: string;
  pid: number;
  stop: () => Promise<void>;
}

/** Null where there is none: a failure where everything is to be tested, and said elsewhere. Null, too, once `signal` is aborted. */
export async function startServer(
  of: string,
  program: ServerProgram,
  args: (port: number) => string[],
  env: NodeJS.ProcessEnv = {},
  scheme: 'http' | 'https' = 'http',
  signal?: AbortSignal,
): Promise<RunningServer | null> {
  if ('missing' in program) {
    if (process.env.CI) throw new Error(`no ${of} server to test with: ${program.missing}`);
    process.stderr.write(`the tests of ${of} are skipped: ${program.missing}\n`);
    return null;
  }
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const endpoint = `${scheme}://127.0.0.1:${port}`;
    const child = spawn(program.command, [...program.args, ...args(port)], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)));
    const isOver = () => child.exitCode !== null || child.signalCode !== null;
    const stop = async () => {
      child.kill();
      if (!isOver()) await once(child, 'close');
    };
    const until = performance.now() + startMs;
    let isUp = false;
    while (!isUp && !isOver() && performance.now() < until && !signal?.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      isUp = await answers(endpoint);
    }
    // Who answers on the port of one that has ended is another program.
    if (isUp && !isOver()) return { endpoint, pid: child.pid ?? 0, stop };
    await stop();
    if (signal?.aborted) return null;
    // Another program may have taken the port meanwhile.
    if (attempt === mostAttempts) throw new Error(`the ${of} server did not start: ${said}`);
  }
}

const answers = (endpoint: string) =>
  fetch(endpoint).then(
    () => true,
    () => false,
  );

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
