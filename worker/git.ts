/** Git, asked about a repository that others may have written: nothing that its own configuration names is run, and nothing is fetched. */
import { type ProgramEnd, runProgram } from './run-program.ts';

/** A repository on a slow disk, or a very large one, holds up no session for longer, in milliseconds. */
const patienceMs = 10_000;

export type Git = (...args: string[]) => Promise<ProgramEnd>;

/** `settings` beside those that keep it from running anything. */
export function gitIn(folder: string, settings: readonly string[] = []): Git {
  const all = ['core.fsmonitor=false', 'protocol.allow=never', ...settings].flatMap((setting) => ['-c', setting]);
  const plain = ['-C', folder, '--no-optional-locks', ...all];
  return (...args) => runProgram('git', [...plain, ...args], { timeoutMs: patienceMs, keepsReturns: true });
}

/**
 * For `git diff`: no programs for formats, and submodules told by the commit that is checked out, as looking into one would run what its own
 * configuration names.
 */
export const safeDiff = ['--no-ext-diff', '--no-textconv', '--ignore-submodules=dirty'] as const;

/** Paths of the repository's submodules; null where git does not tell. */
export async function submodulesIn(git: Git): Promise<string[] | null> {
  const { code, stdout } = await git('ls-files', '--full-name', '--stage', '--', ':/');
  if (code !== 0) return null;
  return stdout.split('\n').flatMap((line) => (line.startsWith('160000 ') ? [line.slice(line.indexOf('\t') + 1)] : []));
}
