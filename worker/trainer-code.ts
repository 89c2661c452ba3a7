/** Which code a session trains with, as git and its Python environment tell. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Materials } from '../contracts/receipt-facts.ts';
import { digestFile } from '../stores/file-digest.ts';
import { type RunFolder, replaceFile } from './run-folders.ts';
import { runProgram } from './run-program.ts';

/** A repository on a slow disk, or a very large one, holds up no session for longer, in milliseconds. */
const patienceMs = 10_000;
const longestBranch = 250;
/** Lines, as `pip freeze` would write them: what is installed, whoever asked for it. */
const listPackages = `
import importlib.metadata, sysconfig
print(sysconfig.get_paths()["purelib"])
found = {(d.metadata["Name"] or "").lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()}
print("\\n".join(f"{name}=={found[name]}" for name in sorted(found) if name))
`;

/** Published with the run: the packages of its last session. */
export const packagesFile = 'packages.txt';

type Told = Pick<Materials, 'code' | 'entry' | 'packages'>;

/** What is told of `file`, the trainer's program; its packages are kept in the run folder. What nobody can tell is null. */
export async function keepCode(folder: RunFolder, file: string, python: string): Promise<Told> {
  const [code, entry, packages] = await Promise.all([
    codeNow(file),
    digestFile(file).then(
      ({ sha256 }) => sha256,
      () => null,
    ),
    packagesOf(python),
  ]);
  if (packages !== null) await replaceFile(join(folder.path, packagesFile), packages);
  return { code, entry, packages: packages === null ? null : createHash('sha256').update(packages).digest('hex') };
}

type Code = NonNullable<Materials['code']>;

/** Sessions that begin within so many milliseconds share an answer: a whole repository is looked through for it. */
const sameWithin = 5_000;
const asked = new Map<string, { at: number; code: Promise<Code | null> }>();

function codeNow(file: string): Promise<Code | null> {
  const before = asked.get(file);
  if (before && performance.now() - before.at < sameWithin) return before.code;
  const code = codeOf(file);
  asked.set(file, { at: performance.now(), code });
  return code;
}

/** Of the repository that has the file; null where it is in none, or git does not track it: then the commit says nothing of it. */
export async function codeOf(file: string): Promise<Code | null> {
  // Nothing that the repository's own configuration names is run.
  const plain = ['-C', dirname(file), '--no-optional-locks', '-c', 'core.fsmonitor=false'];
  const git = (...args: string[]) => runProgram('git', [...plain, ...args], { timeoutMs: patienceMs });
  if ((await git('ls-files', '--error-unmatch', '--', basename(file))).code !== 0) return null;
  const [head, branch, diff] = await Promise.all([
    git('rev-parse', '--verify', 'HEAD'),
    git('symbolic-ref', '--short', '-q', 'HEAD'),
    git('diff', '--quiet', '--no-ext-diff', '--no-textconv', 'HEAD'),
  ]);
  if (head.code !== 0) return null;
  return {
    commit: head.stdout.trim(),
    branch: branch.code === 0 ? branch.stdout.trim().slice(0, longestBranch) : null,
    isDirty: diff.code === 0 ? false : diff.code === 1 ? true : null,
  };
}

/** By the path of Python: asked again once something was installed there, which changes the folder of its packages. */
const known = new Map<string, { site: string; changedAt: number; packages: string }>();

async function packagesOf(python: string): Promise<string | null> {
  const before = known.get(python);
  if (before && (await changedAt(before.site)) === before.changedAt) return before.packages;
  const { code, stdout } = await runProgram(python, ['-I', '-c', listPackages], { timeoutMs: patienceMs });
  if (code !== 0) return null;
  const [site = '', ...lines] = stdout.trimEnd().split('\n');
  const packages = lines.map((line) => `${line}\n`).join('');
  const now = await changedAt(site);
  if (now !== null) known.set(python, { site, changedAt: now, packages });
  return packages;
}

const changedAt = (folder: string): Promise<number | null> =>
  stat(folder).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
