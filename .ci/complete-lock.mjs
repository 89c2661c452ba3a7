/**
 * Run after `npm install`: `node .ci/complete-lock.mjs`.
 *
 * Where a registry lacks the optional packages of other platforms (a mirror that has only what was asked of it, say),
 * npm leaves them out of package-lock.json without a word, and `npm ci` refuses that lock on every machine whose
 * registry has them. This adds what the locked packages name: version, platform, and the integrity that the registry
 * tells. With `--check` it asks nobody, and says what is missing.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = [];
const isCheck = process.argv.includes('--check');

const platforms = new Set(['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'sunos', 'win32']);
const cpus = new Map([
  ['x64', 'x64'],
  ['arm64', 'arm64'],
  ['arm', 'arm'],
  ['ia32', 'ia32'],
  ['ppc64', 'ppc64'],
  ['s390x', 's390x'],
]);

/** `@swc/core-linux-arm-gnueabihf` is for linux, arm, glibc; `@biomejs/cli-linux-x64-musl` for linux, x64, musl. */
function platformOf(name) {
  const parts = name.split('/').at(-1).split('-');
  const os = parts.find((part) => platforms.has(part));
  const cpu = parts.map((part) => cpus.get(part)).find(Boolean);
  if (!os || !cpu) throw new Error(`${name}: its platform cannot be told from its name; add it by hand`);
  const libc =
    os !== 'linux' ? undefined : parts.includes('musl') ? 'musl' : parts.includes('gnu') ? 'glibc' : undefined;
  return { cpu: [cpu], ...(libc ? { libc: [libc] } : {}), os: [os] };
}

for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (lock.packages[`${path}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`]) continue;
    if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${name}@${version}: not a version; add it by hand`);
    const { cpu, libc, os } = platformOf(name);
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu,
      ...(dev ? { dev } : {}),
      ...(libc ? { libc } : {}),
      optional: true,
      os,
    };
    added.push(`${name}@${version}`);
  }
}

/** Without it npm installs whatever it is given. */
const unverified = Object.entries(lock.packages).filter(
  ([path, entry]) => path !== '' && !entry.link && !entry.integrity,
);
if (!isCheck) {
  for (const [path, entry] of unverified) {
    const name = `${path.split('node_modules/').at(-1)}@${entry.version}`;
    const integrity = execFileSync('npm', ['view', name, 'dist.integrity'], { encoding: 'utf8' }).trim();
    if (!/^sha512-[A-Za-z0-9+/]+=*$/.test(integrity)) throw new Error(`${name}: the registry tells no integrity`);
    entry.integrity = integrity;
    added.push(`the integrity of ${name}`);
  }
}
const resolved = Object.values(lock.packages).filter((entry) => 'resolved' in entry).length;
if (resolved > 0) throw new Error(`${resolved} entries name the registry that they came from: see .npmrc`);

if (isCheck) {
  const missing = [...added, ...unverified.map(([path]) => `the integrity of ${path}`)];
  if (missing.length > 0)
    throw new Error(`package-lock.json lacks ${missing.join(', ')}: run node .ci/complete-lock.mjs`);
} else {
  const [root, ...others] = Object.keys(lock.packages);
  lock.packages = Object.fromEntries([root, ...others.sort()].map((path) => [path, lock.packages[path]]));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(added.map((line) => `added ${line}\n`).join('') || 'complete\n');
}
