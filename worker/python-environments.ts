/**
 * One Python environment for each set of requirements, kept in the cache folder and shared by every trainer that
 * asks for the same.
 *
 * An environment is built in a folder with a name of its own, and only then named by `<key>.json`, by a rename: who
 * reads that file finds a whole environment. A lock, held by a process of its own so that the kernel releases it
 * whatever happens to us, keeps two processes from building the same thing twice. Were it lost, they would build two
 * environments beside each other, and both would be whole.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { packageFolder } from '../contracts/package-folder.ts';
import { sha256Hex } from '../stores/sha256.ts';
import { lockFile } from './file-lock.ts';
import { cacheFolder } from './machine-folders.ts';
import { installerEnvironment } from './program-environment.ts';
import { findPython, findUv, type PythonInterpreter, PythonSetUpError } from './python-tools.ts';
import { lockOf, requirementsLists, withoutHashes } from './requirements-lists.ts';
import { runProgram } from './run-program.ts';
import { signsOfLife } from './signs-of-life.ts';
import { readHeader } from './trainer-header.ts';

export interface EnvironmentRequest {
  /** Lines of a requirements file. What the Python SDK needs is always added. */
  requirements: readonly string[];
  /** One short line on what is being done, and every few seconds that it still is; only when something has to be built. */
  onProgress?: ((message: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface PythonEnvironment {
  /** Absolute path of its interpreter. */
  python: string;
}

/**
 * Returns the environment with these requirements, building it first where there is none yet. Throws
 * PythonSetUpError with the installer's last words when it cannot be built, and the signal's reason when aborted.
 */
export async function ensureEnvironment(request: EnvironmentRequest): Promise<PythonEnvironment> {
  const { onProgress, signal } = request;
  const python = await findPython(signal);
  const requirements = [...new Set([...(await sdkRequirements()), ...request.requirements])];
  const environment = environmentAt(python, requirements);
  const built = await builtEnvironment(environment);
  if (built !== null) return built;

  await mkdir(environment.parent, { recursive: true });
  const { tell, end } = signsOfLife((line) => onProgress?.(line));
  try {
    tell(
      `preparing ${environment.key}, or waiting for another process that is preparing it: ${shownList(requirements)}`,
    );
    const release = await lockFile(python, join(environment.parent, `${environment.key}.lock`), signal);
    try {
      return (await builtEnvironment(environment)) ?? (await build(environment, python, requirements, tell, signal));
    } finally {
      await release();
    }
  } finally {
    end();
  }
}

const longestList = 120;

/** `3 requirements (numpy>=1.26, …)` */
function shownList(requirements: readonly string[]): string {
  const list = requirements.map(withoutHashes).join(', ');
  const shown = list.length > longestList ? `${list.slice(0, longestList)}…` : list;
  return `${requirements.length} ${requirements.length === 1 ? 'requirement' : 'requirements'} (${shown})`;
}

/**
 * Where the bytecode goes of what an environment's interpreter imports: into the environment, whose end it shares, and
 * not beside the sources, which are a person's folder.
 */
export const bytecodeFolder = (python: string): string => join(dirname(dirname(python)), 'bytecode');

/** What a trainer's file says it needs, and what the Python SDK does. */
export async function allRequirements(trainerFile: string): Promise<string[]> {
  return [...new Set([...(await sdkRequirements()), ...(await readRequirements(trainerFile))])];
}

/** Whether `ensureEnvironment` would have nothing to build. Builds nothing. */
export async function isEnvironmentReady(requirements: readonly string[], signal?: AbortSignal): Promise<boolean> {
  const python = await findPython(signal);
  const all = [...new Set([...(await sdkRequirements()), ...requirements])];
  return (await builtEnvironment(environmentAt(python, all))) !== null;
}

/**
 * What a trainer's file says it needs: the dependencies of its PEP 723 header, else `requirements.txt` in the folder of a
 * `trainer.py`. Without either it has no requirements.
 */
export async function readRequirements(trainerFile: string): Promise<string[]> {
  const header = await readHeader(trainerFile);
  if (header?.dependencies) return header.dependencies;
  if (basename(trainerFile) !== 'trainer.py') return [];
  return readRequirementsFile(join(dirname(trainerFile), 'requirements.txt'));
}

/**
 * Lines of a requirements file, without comments, and those of a `requirements.lock` beside it; files that it names are read in or
 * named absolutely. None: none.
 */
export async function readRequirementsFile(file: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  const lines: string[] = [];
  for (const raw of text.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim();
    if (line === '') continue;
    const included = /^(?:-r|--requirement)[ =]\s*(\S+)$/.exec(line)?.[1];
    const path = /^(?:(-e|-c|--constraint|--editable|-f|--find-links)[ =]\s*)?(\.{1,2}\/\S*)$/.exec(line);
    if (included !== undefined) lines.push(...(await readRequirementsFile(resolve(dirname(file), included))));
    else if (path?.[2] !== undefined && !isAbsolute(path[2])) {
      lines.push(`${path[1] === undefined ? '' : `${path[1]} `}${resolve(dirname(file), path[2])}`);
    } else lines.push(line);
  }
  const lock = lockOf(file);
  return lock === null ? lines : [...lines, ...(await readRequirementsFile(lock))];
}

const projectSchema = z.object({ project: z.object({ dependencies: z.array(z.string()) }) });

async function sdkRequirements(): Promise<string[]> {
  const file = fileURLToPath(new URL('trainers/epochal/pyproject.toml', packageFolder));
  return projectSchema.parse(parseToml(await readFile(file, 'utf8'))).project.dependencies;
}

interface EnvironmentAddress {
  parent: string;
  key: string;
  /** Names the folder of the environment once it is whole. */
  pointer: string;
}

function environmentAt(python: PythonInterpreter, requirements: readonly string[]): EnvironmentAddress {
  const said = JSON.stringify([python.version, process.platform, process.arch, [...requirements].sort()]);
  const key = sha256Hex(said).slice(0, 16);
  const parent = join(cacheFolder(), 'python');
  return { parent, key, pointer: join(parent, `${key}.json`) };
}

const pointerSchema = z.object({ folder: z.string().min(1) });

async function builtEnvironment({ parent, pointer }: EnvironmentAddress): Promise<PythonEnvironment | null> {
  try {
    const { folder } = pointerSchema.parse(JSON.parse(await readFile(pointer, 'utf8')));
    const python = join(parent, folder, 'bin', 'python');
    // Follows the link to the Python that it was made with, which may have been removed since.
    await access(python, constants.X_OK);
    return { python };
  } catch {
    return null;
  }
}

async function build(
  { parent, key, pointer }: EnvironmentAddress,
  python: PythonInterpreter,
  requirements: readonly string[],
  tell: (doing: string) => void,
  signal: AbortSignal | undefined,
): Promise<PythonEnvironment> {
  // Left by builds that were killed; nothing names them.
  for (const left of await readdir(parent)) {
    if (left.startsWith(`${key}-`)) await rm(join(parent, left), { recursive: true, force: true });
  }
  const folder = `${key}-${randomUUID().slice(0, 8)}`;
  const environment = join(parent, folder);
  try {
    await mkdir(environment);
    const lists = requirementsLists(requirements);
    for (const [name, lines] of Object.entries(lists)) {
      await writeFile(join(environment, `${name}.txt`), lines.map((line: string) => `${line}\n`).join(''));
    }
    const hasHashes = lists.hashed.length > 0;
    const interpreter = join(environment, 'bin', 'python');
    for (const { doing, command } of await steps(python, environment, interpreter, hasHashes, signal)) {
      tell(doing);
      const [program, ...args] = command;
      const { code, tail } = await runProgram(program, args, {
        signal,
        // What pip compiles is found where it will be looked for.
        env: { ...installerEnvironment(), PYTHONPYCACHEPREFIX: bytecodeFolder(interpreter) },
        onLine: (line) => {
          const said = line.trim();
          // What uv lists at its end, a line per package, is installed by then.
          if (said !== '' && !/^[+~-] /.test(said)) tell(`${doing}: ${said.slice(0, 200)}`);
        },
      });
      if (code !== 0) throw new PythonSetUpError(`${doing} failed:\n${explain(tail)}`);
    }
    const beside = join(environment, 'pointer.json');
    await writeFile(beside, `${JSON.stringify({ folder, python: python.version, requirements }, null, 2)}\n`);
    await rename(beside, pointer);
    return { python: interpreter };
  } catch (error) {
    await rm(environment, { recursive: true, force: true });
    throw error;
  }
}

interface Step {
  doing: string;
  command: readonly [string, ...string[]];
}

async function steps(
  python: PythonInterpreter,
  environment: string,
  interpreter: string,
  hasHashes: boolean,
  signal: AbortSignal | undefined,
): Promise<Step[]> {
  const uv = await findUv(python, signal);
  const lists = [
    ...(hasHashes ? [['--require-hashes', '--no-deps', '-r', join(environment, 'hashed.txt')]] : []),
    ['-r', join(environment, 'others.txt')],
  ];
  if (uv !== null) {
    return [
      {
        doing: `making a Python ${python.version} environment with uv`,
        command: [...uv, 'venv', '--quiet', '--allow-existing', '--python', python.path, environment],
      },
      ...lists.map(
        (list): Step => ({
          doing: 'installing Python packages with uv',
          command: [...uv, 'pip', 'install', '--python', interpreter, ...list],
        }),
      ),
    ];
  }
  return [
    { doing: `making a Python ${python.version} environment`, command: [python.path, '-m', 'venv', environment] },
    ...lists.map(
      (list): Step => ({
        doing: 'installing Python packages with pip',
        command: [interpreter, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', ...list],
      }),
    ),
  ];
}

function explain(tail: string): string {
  if (!/ensurepip|No module named venv/.test(tail)) return tail;
  return `${tail}\nThis Python has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv), or install uv (pip install uv).`;
}
