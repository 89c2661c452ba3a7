/**
 * The servers that stores are tested on, put into the cache folder where they are not there yet: built with Go, or installed by npm or pip. As a
 * program: only that.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../../../contracts/folders.ts';

/** How to start it, or why there is none. */
export type ServerProgram = { command: string; args: string[] } | { missing: string };

/** An S3 gateway that stores in a folder. */
export async function s3Program(): Promise<ServerProgram> {
  const module = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';
  return started(await goProgram('versitygw', module), (path) => ({ command: path, args: [] }));
}

/** Microsoft's emulator of Azure Blob Storage, of the last version for Node 20. */
export async function azureProgram(): Promise<ServerProgram> {
  const entry = 'node_modules/azurite/dist/src/blob/main.js';
  const folder = await npmProgram('azurite', '3.35.0');
  return started(folder, (path) => ({ command: process.execPath, args: [join(path, entry)] }));
}

/** An emulator of Google Cloud Storage. */
export async function gcsProgram(): Promise<ServerProgram> {
  const made = await goProgram('fake-gcs-server', 'github.com/fsouza/fake-gcs-server@v1.56.1');
  return started(made, (path) => ({ command: path, args: [] }));
}

/** Supervisely's own SDK, with the Python that has it. */
export async function superviselyProgram(): Promise<ServerProgram> {
  const made = await pythonProgram('supervisely', '6.74.51');
  return started(made, (path) => ({ command: join(path, 'bin', 'python'), args: [] }));
}

/** MLflow's server, which asks for a user and a password: as `mlflow server` starts it, without the two processes beside it, which import as much. */
export async function mlflowProgram(): Promise<ServerProgram> {
  const made = await pythonProgram('mlflow', '3.17.2', '[auth]', 'mlflow.server.auth, mlflow.server.fastapi_app');
  const args = ['-m', 'uvicorn', '--factory', 'mlflow.server.auth:create_app'];
  return started(made, (path) => ({ command: join(path, 'bin', 'python'), args }));
}

/** A Python with a package, which it can import. */
export const pythonProgram = (name: string, version: string, extra = '', imported = name) =>
  inCache(`${name}-${version}`, '', async (folder) => {
    const python = join(folder, 'bin', 'python');
    const what = [`${name}${extra}==${version}`];
    const failure = await failureOf('python3', ['-m', 'venv', folder]);
    if (failure !== null) return failure;
    // Many times as fast, where it is there.
    const byUv = await failureOf('uv', ['pip', 'install', '--quiet', '--python', python, ...what]);
    const byPip = () => failureOf(python, ['-m', 'pip', 'install', '--quiet', ...what]);
    const notInstalled = byUv === null ? null : await byPip();
    // Imported once, it is compiled: else its first test would wait for that.
    return notInstalled ?? failureOf(python, ['-c', `import ${imported}`]);
  });

export type Made = { path: string } | { missing: string };

const started = (made: Made, program: (path: string) => ServerProgram) => ('path' in made ? program(made.path) : made);

/** A program of a Go module, built here. */
export function goProgram(name: string, module: string): Promise<Made> {
  return inCache(`${name}-${module.split('@').at(-1)}`, name, (folder) =>
    failureOf('go', ['install', module], { GOBIN: folder }),
  );
}

function npmProgram(name: string, version: string): Promise<Made> {
  const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  return inCache(`${name}-${version}`, '', (folder) =>
    failureOf('npm', ['install', '--prefix', folder, ...quiet, `${name}@${version}`]),
  );
}

/** `make` leaves it in a folder, as `what`, or says why it could not. */
async function inCache(name: string, what: string, make: (folder: string) => Promise<string | null>): Promise<Made> {
  const folder = join(cacheFolder({ env: process.env, platform: platform(), home: homedir() }), 'bin');
  const path = join(folder, name);
  if (existsSync(path)) return { path };
  await mkdir(folder, { recursive: true });
  // Beside its place: another process that makes it, or one that is killed, leaves no half of it there.
  const beside = await mkdtemp(join(folder, `.${name}-`));
  try {
    const failure = await make(beside);
    if (failure !== null) return { missing: failure };
    await rename(join(beside, what), path).catch((error: unknown) => {
      if (!existsSync(path)) throw error;
    });
    return { path };
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

async function failureOf(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string | null> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)));
  const code = await Promise.race([once(child, 'close'), once(child, 'error')]).then(([first]) => first as unknown);
  if (code instanceof Error) return `${command} is not installed here (${code.message})`;
  return code === 0 ? null : `${command} ${args.join(' ')} failed:\n${said}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const programs = [await azureProgram(), await s3Program(), await gcsProgram()];
  for (const program of [...programs, await superviselyProgram(), await mlflowProgram()]) {
    process.stdout.write(`${'missing' in program ? program.missing : [program.command, ...program.args].join(' ')}\n`);
    if ('missing' in program) process.exitCode = 1;
  }
}
