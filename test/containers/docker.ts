/** The `docker` command, as a person at a shell has it. */
import { type ProgramEnd, type RunOptions, runProgram } from '../../worker/run-program.ts';

/** Runs a program with this process's whole environment; throws with the last of what it wrote when it fails. */
export async function must(program: string, args: readonly string[], options: RunOptions = {}): Promise<ProgramEnd> {
  const ended = await runProgram(program, args, { env: process.env, ...options });
  if (ended.code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${ended.code}:\n${ended.tail}`);
  return ended;
}

/** What it wrote to stdout. */
export async function docker(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return (await must('docker', args, options)).stdout.trim();
}

export const hasImage = async (name: string): Promise<boolean> =>
  (await docker(['image', 'ls', '--quiet', name])).length > 0;
