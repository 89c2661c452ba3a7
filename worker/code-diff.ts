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
  /(credential|secret|passwd|password|kubeconfig|service[-_]?account|api[-_]?keys?)/i,
  /(^|[-_.])(auth|access|refresh|api|bot|hf|wandb|git(hub|lab)?)[-_]?tokens?([-_.]|$)|^\.?token$/i,
];
const secretFolders = /^(\.aws|\.ssh|\.kube|\.gnupg|\.docker|secrets?|credentials?)$/i;

/** What a value is named that is a secret; the first ones are of words that people choose, which may have spaces. */
const chosen = 'password|passwd|passphrase|pwd|secret';
const secret = `(${chosen}|token|credentials?|(api|access|account|private|storage|shared|auth|signing|encryption)[_-]?key)`;
/** `NAME = "`, also of an element (`environ["NAME"] = "`), compared, or in another notation. */
const given = `["']?\\]?\\s{0,5}!?[:=]{1,3}>?\\s{0,5}`;
const quote = `[bfru]{0,2}["']`;

/** Forms that keys of services have, and values that are given to what is named as one. Each is bounded, as a line may be long. */
const secretContents = [
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY/,
  /(AKIA|ASIA)[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|gh[pousr]_[A-Za-z0-9]{30}|github_pat_|glpat-|xox[abeprs]-|hf_[A-Za-z0-9]{30}/,
  /xapp-\d|npm_[A-Za-z0-9]{30}|pypi-AgE|dckr_pat_|GOCSPX-|ya29\.[\w-]{20}|SG\.[\w-]{16,64}\.|hooks\.slack\.com\/services\/T/,
  /(^|[^A-Za-z0-9])(sk-|[sr]k_(live|test)_)[A-Za-z0-9_-]{20}/m,
  /eyJ[A-Za-z0-9_-]{10,200}\.eyJ/,
  /:\/\/[^/\s:@]{0,100}:[^/\s@]{1,200}@/,
  // A token alone before the host, and in what is asked there.
  /:\/\/[A-Za-z0-9_~.-]{20,200}@/,
  /[?&;](sig|signature|x-amz-signature|x-goog-signature|access_token|api_?key|token)=[A-Za-z0-9%+/_-]{16}/i,
  /(AccountKey|SharedAccessKey|password|pwd)=[^;\s"']{4,200};/i,
  new RegExp(`(${chosen})${given}${quote}[^"'\\n<>{}]{6,200}["']`, 'i'),
  new RegExp(`${secret}${given}${quote}[^\\s"'<>[\\](){}]{8,200}["']`, 'i'),
  // What is said instead where there is none: `getenv("NAME", "`. Lists of words look alike.
  new RegExp(`${secret}["']\\s{0,5},\\s{0,5}${quote}(?=[^"']{0,100}\\d)[^\\s"'<>[\\](){}]{8,200}["']`, 'i'),
  new RegExp(`key${given}${quote}[0-9a-f]{32,64}["']|wandb\\s{1,3}login\\s[^\\n]{0,60}[0-9a-f]{40}`, 'i'),
  // Without quotes code looks alike: with both letters and digits, up to the end of the line.
  new RegExp(
    `${secret}\\s{0,5}[:=]\\s{0,5}(?=[^\\s\\d]{0,100}\\d)(?=\\d{0,100}[A-Za-z])[\\w+/.~=-]{8,200}\\s{0,5}$`,
    'im',
  ),
  new RegExp(`--?${secret}[= ](?=\\S{0,60}\\d)[^\\s"'$<>({[]{8}`, 'i'),
  /(^|[^A-Za-z0-9])bearer\s{1,5}[A-Za-z0-9._~+/-]{16}/im,
  // A line of base64 alone, as keys are written.
  /^[ +-][A-Za-z0-9+/]{60,100}={0,2}$/m,
];

/** In these nothing is code, so that any value is one. */
const settingsFile =
  /\.(ya?ml|ini|cfg|cnf|conf|config|properties|toml|xml|sh|bash|zsh|fish|service|txt)$|^dockerfile|^[^.]+$/i;
const secretSetting = new RegExp(
  `(${secret}["']?\\s{0,5}[:=]\\s{0,5}|<${secret}>|\\b(ENV|ARG) \\w{0,60}${secret} )["']?(?![\\s"'$<>[({!*&|]|(null|none|true|false|\\d{1,9})\\b)[^\\s"']{4}`,
  'i',
);

function maySecret(path: string, changes: string): boolean {
  const folders = dirname(path).split('/');
  const file = basename(path);
  if (secretNames.some((name) => name.test(file)) || folders.some((folder) => secretFolders.test(folder))) return true;
  if (settingsFile.test(file) && secretSetting.test(changes)) return true;
  return secretContents.some((content) => content.test(changes));
}
