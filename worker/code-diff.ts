/**
 * `code.diff`: what tracked files of the trainer's repository differed by from its commit, within a bound, as `git apply` takes it. Files that
 * git does not track are never in it, and no file that may hold secrets.
 */
import { basename, dirname } from 'node:path';
import { gitIn, safeDiff, submodulesIn } from './git.ts';

/** Published with the run: the changes that its last session trained with. */
export const codeDiffFile = 'code.diff';
/** Bytes of changes. A file whose changes would go beyond is left out, and named. */
export const mostOfDiff = 1 << 20;
/** Names in a line of the head. */
const mostNamed = 20;
const longestName = 200;

export interface CodeDiff {
  text: string;
  /** Changes of files are missing for want of room, or of time. */
  isTruncated: boolean;
  /** Files whose changes are not told, not even by a digest, and submodules, into which nobody has looked. */
  withheld: number;
}

/** Settings of a person, or of the repository, that would give the same changes another form. Of most files beyond the bound git then tells digests alone. */
const form = [
  ...['--no-color', '--no-relative', '--full-index', '--no-renames', '--submodule=short', '--diff-algorithm=myers'],
  ...[
    '--src-prefix=a/',
    '--dst-prefix=b/',
    '--unified=3',
    '--inter-hunk-context=0',
    '--no-indent-heuristic',
    '-O/dev/null',
  ],
];
const settings = [`core.bigFileThreshold=${mostOfDiff}`, 'core.quotePath=false', 'diff.suppressBlankEmpty=false'];

/**
 * Of the repository of `file`, which `commit` was asked of, and whose filters are known to be the worker's own. Null where git tells none,
 * or nothing differs.
 */
export async function diffOf(file: string, commit: string): Promise<CodeDiff | null> {
  const git = gitIn(dirname(file), settings);
  const [{ code, stdout }, found] = await Promise.all([git('diff', ...safeDiff, ...form, commit), submodulesIn(git)]);
  // What it has written before it was ended is worth keeping.
  if (stdout === '') return null;
  const sections = sectionsOf(stdout);
  const cutOff = code === 0 ? null : sections.pop();
  const [digests, withheld, leftOut]: [string[], string[], string[]] = [[], [], []];
  let changes = '';
  let bytes = 0;
  for (const section of sections) {
    const path = pathOf(section);
    const text = asText(section);
    const size = Buffer.byteLength(text);
    if (size <= mostOfDiff && maySecret(path, section)) withheld.push(path);
    else if (bytes + size > mostOfDiff) leftOut.push(path);
    else {
      changes += text;
      bytes += size;
      if (text.includes('\nBinary files ')) digests.push(path);
    }
  }
  if (cutOff !== null) leftOut.push(...(cutOff ? [pathOf(cutOff)] : []), 'whatever comes after it');
  const submodules = found ?? ['those that there are'];
  const head = [
    `# What tracked files differed by from commit ${commit}, as "git apply" takes it.`,
    ...named("# By name and git's digests alone", digests),
    ...named('# Withheld, as they may hold secrets', withheld),
    ...named('# Submodules by their commit alone', submodules),
    ...named(`# TRUNCATED at ${mostOfDiff} bytes, without the changes of`, leftOut),
  ];
  return {
    text: `${head.join('\n')}\n${changes}`,
    isTruncated: leftOut.length > 0,
    withheld: withheld.length + submodules.length,
  };
}

/** A line of a file begins with another character than that of a section does; it may hold a carriage return, but no line feed. */
function sectionsOf(diff: string): string[] {
  const [first = '', ...others] = diff.split('\ndiff --git ');
  return [first, ...others.map((other) => `diff --git ${other}`)].map((section) => `${section}\n`);
}

function named(title: string, paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const more = paths.length > mostNamed ? ` and ${paths.length - mostNamed} more` : '';
  return [
    `${title}: ${paths
      .slice(0, mostNamed)
      .map((path) => path.slice(0, longestName))
      .join(', ')}${more}`,
  ];
}

/** Without renames both names of a section's first line are one, so its length tells where the second begins. Git escapes what is in quotes. */
function pathOf(section: string): string {
  const both = section.slice('diff --git '.length, section.indexOf('\n'));
  const quote = both.startsWith('"') ? 1 : 0;
  const length = (both.length - 5 - 4 * quote) / 2;
  return both.slice(2 + quote, 2 + quote + length);
}

/** What is not UTF-8 cannot be kept as it is: by its digests alone, as git tells of binary files. */
function asText(section: string): string {
  if (!section.includes('\uFFFD')) return section;
  const lines = section.split('\n');
  const content = lines.findIndex((line) => line.startsWith('--- '));
  if (content < 0) return section;
  return `${[...lines.slice(0, content), 'Binary files differ'].join('\n')}\n`;
}

/** By the name of the file, or of a folder that it is in. */
const secretNames = [
  /^\.?env(\..*)?$|\.env$|^\.envrc$/i,
  /^\.(netrc|pgpass|npmrc|pypirc|htpasswd|git-credentials|dockercfg)$/i,
  /^id_(rsa|dsa|ecdsa|ed25519)/i,
  /\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg|tfvars|tfstate)$/i,
  /(credential|secret|passwd|password|kubeconfig|service[-_]?account)/i,
];
const secretFolders = /^(\.aws|\.ssh|\.kube|\.gnupg|\.docker|secrets?|credentials?)$/i;

/** Forms that keys of services have, and values that are given to what is named as one. Each is bounded, as a line may be long. */
const secretContents = [
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY/,
  /(AKIA|ASIA)[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|gh[pousr]_[A-Za-z0-9]{30}|github_pat_|glpat-|xox[abeprs]-|hf_[A-Za-z0-9]{30}/,
  /(^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{20}/m,
  /eyJ[A-Za-z0-9_-]{10,200}\.eyJ/,
  /:\/\/[^/\s:@]{0,100}:[^/\s@]{1,200}@/,
  /(password|passwd|passphrase|secret|token|credentials?|(api|access|account|private|storage)_?key)["']?\s{0,5}[:=]\s{0,5}["'][^\s"'<>[\](){}]{8,200}["']/i,
  // Without quotes code looks alike: with both letters and digits, up to the end of the line.
  /(password|passwd|passphrase|secret|token|credentials?|(api|access|account|private|storage)_?key)\s{0,5}[:=]\s{0,5}(?=[^\s\d]{0,100}\d)(?=\d{0,100}[A-Za-z])[\w+/.~=-]{8,200}\s{0,5}$/im,
  /(^|[^A-Za-z0-9])bearer\s{1,5}[A-Za-z0-9._~+/-]{16}/im,
  // A line of base64 alone, as keys are written.
  /^[ +-][A-Za-z0-9+/]{60,100}={0,2}$/m,
];

function maySecret(path: string, changes: string): boolean {
  const folders = dirname(path).split('/');
  if (secretNames.some((name) => name.test(basename(path))) || folders.some((folder) => secretFolders.test(folder)))
    return true;
  return secretContents.some((content) => content.test(changes));
}
