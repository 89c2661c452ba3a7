/** Finds the Python and the installer (uv, else pip) that this machine has. */
import { z } from 'zod';
import { runProgram } from './run-program.ts';

export interface PythonInterpreter {
  /** Absolute path. */
  path: string;
  /** `3.11.7` */
  version: string;
}

/** Something that a person has to install or mend; the message says what. */
export class PythonSetUpError extends Error {
  override readonly name = 'PythonSetUpError';
}

const oldest = [3, 10] as const;
const probe =
  'import json,sys; print(json.dumps({"path": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3]}))';
const probeSchema = z.object({ path: z.string().min(1), version: z.string().regex(/^\d+\.\d+\.\d+$/) });

/** What was found, by what was asked: the answer does not change while a worker lives, and asking starts a process. */
const found = new Map<string, PythonInterpreter>();

/** The first of `python3`, `python`, `python3.14` … on the PATH that is new enough; `EPOCHAL_PYTHON` goes before. */
export async function findPython(signal?: AbortSignal): Promise<PythonInterpreter> {
  const named = process.env.EPOCHAL_PYTHON;
  const asked = `${named ?? ''}:${process.env.PATH ?? ''}`;
  const known = found.get(asked);
  if (known) return known;
  const candidates = named
    ? [named]
    : ['python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const tooOld: string[] = [];
  for (const candidate of candidates) {
    const { code, stdout } = await runProgram(candidate, ['-c', probe], { signal, timeoutMs: 30_000 });
    if (code !== 0) continue;
    const python = probeSchema.parse(JSON.parse(stdout));
    const [major = 0, minor = 0] = python.version.split('.').map(Number);
    if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) {
      found.set(asked, python);
      return python;
    }
    tooOld.push(`${candidate} is ${python.version}`);
  }
  const instead = tooOld.length > 0 ? `only an older one was found (${tooOld.join(', ')})` : 'none was found';
  throw new PythonSetUpError(
    `Python ${oldest.join('.')} or newer is needed${named ? ` at EPOCHAL_PYTHON (${named})` : ''}: ${instead}. ` +
      'Install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python) and start again.',
  );
}

/** The command line that runs uv (`['uv']` or `[python, '-m', 'uv']`), or null where there is none. */
export async function findUv(
  python: PythonInterpreter,
  signal?: AbortSignal,
): Promise<readonly [string, ...string[]] | null> {
  if (process.env.EPOCHAL_NO_UV) return null;
  for (const command of [['uv'], [python.path, '-m', 'uv']] as const) {
    const [program, ...args] = command;
    const { code } = await runProgram(program, [...args, '--version'], { signal, timeoutMs: 30_000 });
    if (code === 0) return command;
  }
  return null;
}
