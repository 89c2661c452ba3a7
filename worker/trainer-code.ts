/** Which code a session trains with, as git and its Python environment tell. */
import { rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { packagesFile } from '../contracts/host-materials.ts';
import type { Materials } from '../contracts/receipt-facts.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import { digestFile } from '../stores/file-digest.ts';
import { sha256Hex } from '../stores/sha256.ts';
import { codeDiffFile, diffOf } from './code-diff.ts';
import { type Git, gitIn, safeDiff, submodulesIn } from './git.ts';
import { type RunFolder, replaceFile } from './run-folders.ts';
import { runProgram } from './run-program.ts';
import { parseJson } from './run-report.ts';

/** In milliseconds. */
const patienceMs = 10_000;
const longestBranch = 250;
/**
 * Lines, as `pip freeze` would write them: what is installed, whoever asked for it, by names and versions alone, as an address that a package came
 * from may have a password. Of two with one name the first on the path is imported. The folders, and when each changed, are read before the list, so
 * that what is installed meanwhile is not missed.
 */
const listPackages = `
import importlib.metadata, json, os, sys
folders = {path: os.stat(path).st_mtime_ns for path in sys.path if path and os.path.isdir(path)}
found = {}
for path in folders:
    for one in importlib.metadata.distributions(path=[path]):
        try:
            found.setdefault((one.metadata["Name"] or "").lower().replace("_", "-"), one.version)
        except Exception:
            pass  # what an installation that was broken off has left
names = sorted(name for name in found if name and found[name])
print()
print(json.dumps([[[path, str(at)] for path, at in folders.items()], [f"{name}=={found[name]}" for name in names]]))
`;
const packagesSchema = z.tuple([z.array(z.tuple([z.string(), z.string()])), z.array(z.string())]);

type Told = Pick<Materials, 'code' | 'entry' | 'packages'>;
/** What is told by digests, with what they are of; null where there is none. */
export interface FoundCode {
  told: Told;
  packages: string | null;
  diff: string | null;
}
type How = Pick<RunConfig, 'code'>;

/** What is told of `file`, the trainer's program. What nobody can tell is null. `python`: null where its packages are not installed. */
export async function findCode(file: string, python: string | null, { code: how }: How = {}): Promise<FoundCode> {
  const [code, entry, packages] = await Promise.all([
    codeNow(file),
    digestFile(file).then(
      ({ sha256 }) => sha256,
      () => null,
    ),
    python === null ? null : packagesOf(python),
  ]);
  const found = code?.isDirty && how !== 'none' ? await diffOf(file, code.commit) : null;
  const diff = found && { sha256: sha256Hex(found.text), isTruncated: found.isTruncated, withheld: found.withheld };
  const told = { code: code && { ...code, diff }, entry, packages: packages === null ? null : sha256Hex(packages) };
  return { told, packages, diff: found?.text ?? null };
}

/** The same; packages and changes are kept in the run folder. */
export async function keepCode(folder: RunFolder, file: string, python: string | null, how: How = {}): Promise<Told> {
  const { told, packages, diff } = await findCode(file, python, how);
  const [hasPackages, hasDiff] = [
    await isKept(join(folder.path, packagesFile), packages),
    await isKept(join(folder.path, codeDiffFile), diff),
  ];
  return {
    ...told,
    code: told.code && { ...told.code, diff: hasDiff ? told.code.diff : null },
    packages: hasPackages ? told.packages : null,
  };
}

/** A disk that takes no file fails whoever needs it: not the session for this. What an earlier session has left there does not stay. */
async function isKept(path: string, content: string | null): Promise<boolean> {
  try {
    if (content === null) await rm(path, { force: true });
    else await replaceFile(path, content);
    return content !== null;
  } catch {
    return false;
  }
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
  const git = gitIn(dirname(file));
  if ((await git('ls-files', '--error-unmatch', '--', basename(file))).code !== 0) return null;
  const [head, branch, isDirty] = await Promise.all([
    git('rev-parse', '--verify', 'HEAD'),
    git('symbolic-ref', '--short', '-q', 'HEAD'),
    isChanged(git),
  ]);
  if (head.code !== 0) return null;
  return {
    commit: head.stdout.trim(),
    branch: branch.code === 0 ? branch.stdout.trim().slice(0, longestBranch) : null,
    isDirty,
  };
}

async function isChanged(git: Git): Promise<boolean | null> {
  // Programs that files go through before they are compared: those that the worker's user has chosen (Git LFS as a rule) may run.
  const filters = await git('config', '--show-scope', '--name-only', '--get-regexp', '^filter\\..*\\.(clean|process)$');
  if (/^(local|worktree)\t/m.test(filters.stdout)) return null;
  const { code } = await git('diff', '--quiet', ...safeDiff, 'HEAD');
  if (code !== 0) return code === 1 ? true : null;
  // Into a submodule nobody looks.
  return (await submodulesIn(git))?.length === 0 ? false : null;
}

/** By the path of Python: asked again once something was installed there, which changes a folder of its packages. */
const known = new Map<string, { folders: (readonly [path: string, changedAt: string])[]; packages: string }>();

async function packagesOf(python: string): Promise<string | null> {
  const before = known.get(python);
  if (before && (await areUnchanged(before.folders))) return before.packages;
  const { code, stdout } = await runProgram(python, ['-I', '-c', listPackages], { timeoutMs: patienceMs });
  // What is installed may print, too.
  const told = code === 0 ? parseJson(packagesSchema, stdout.trimEnd().split('\n').at(-1) ?? '') : null;
  if (told === null) return null;
  const [folders, lines] = told;
  const packages = lines.map((line) => `${line.replace(/\s/g, ' ')}\n`).join('');
  known.set(python, { folders, packages });
  return packages;
}

async function areUnchanged(folders: readonly (readonly [path: string, changedAt: string])[]): Promise<boolean> {
  for (const [path, changedAt] of folders) {
    const now = await stat(path, { bigint: true }).catch(() => null);
    if (String(now?.mtimeNs) !== changedAt) return false;
  }
  return true;
}
