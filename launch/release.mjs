/**
 * `npm run release -- <version>`: writes the version wherever it shows, and the changelog's heading. Changes nothing where the tree
 * has changes of its own, where the version is not newer, or where a place that shows it is not as expected.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const number = String.raw`\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?`;

/** Where the version shows: what stands before it, and how often. The wheel takes its own from the SDK. */
const places = [
  { file: 'package.json', before: '^  "version": "', times: 1 },
  { file: 'package-lock.json', before: '^  "name": "epochal",\n  "version": "', times: 1 },
  { file: 'package-lock.json', before: '^      "name": "epochal",\n      "version": "', times: 1 },
  { file: 'trainers/epochal/epochal/__init__.py', before: '^__version__ = "', times: 1 },
  { file: 'README.md', before: 'epochal-', times: 3 },
  { file: 'charts/epochal/Chart.yaml', before: '^(?:version|appVersion): "?', times: 2, optional: true },
];

class Refused extends Error {}

function release(version, today) {
  if (!new RegExp(`^${number}$`).test(version))
    throw new Refused(`the version is ${version || 'missing'}: must be like 1.2.3`);
  const changes = execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }).trim();
  if (changes !== '') throw new Refused(`the tree has changes: commit or remove them first\n${changes}`);
  const now = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  if (!isNewer(version, now)) throw new Refused(`the version is ${version}: must be newer than ${now}`);
  const texts = new Map();
  const textOf = (file) => texts.get(file) ?? readFileSync(join(root, file), 'utf8');
  for (const { file, before, times, optional } of places) {
    if (optional && !existsSync(join(root, file))) continue;
    const shown = new RegExp(`(${before})${number}`, 'gm');
    const found = [...textOf(file).matchAll(shown)].length;
    if (found !== times)
      throw new Refused(`${file} shows the version ${found} times, not ${times}: correct it, or launch/release.mjs`);
    texts.set(file, textOf(file).replace(shown, `$1${version}`));
  }
  const heading = '## [Unreleased]\n';
  const log = textOf('CHANGELOG.md');
  if (!log.includes(heading)) throw new Refused('CHANGELOG.md has no heading [Unreleased]');
  texts.set('CHANGELOG.md', log.replace(heading, `${heading}\n## [${version}] - ${today}\n`));
  for (const [file, text] of texts) writeFileSync(join(root, file), text);
  return [...texts.keys()];
}

/** By the three numbers; a pre-release is older than its release, and two of one release are told apart as texts. */
function isNewer(version, than) {
  const parts = (text) => {
    const [numbers, ...pre] = text.split('-');
    return [...numbers.split('.').map(Number), pre.length > 0 ? 0 : 1, pre.join('-')];
  };
  const [one, other] = [parts(version), parts(than)];
  const at = one.findIndex((part, index) => part !== other[index]);
  return at >= 0 && one[at] > other[at];
}

try {
  const written = release(process.argv[2] ?? '', new Date().toISOString().slice(0, 10));
  process.stdout.write(`${written.join('\n')}\n\nnext: CONTRIBUTING.md, "Release"\n`);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
