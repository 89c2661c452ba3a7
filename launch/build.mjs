/**
 * Compiles the TypeScript of a clone into `dist/`, which is what `npm start` and `epochal` run, whenever a source has changed. An
 * installed package has neither this file nor the sources. As a program (`npm run build`, and before `npm pack`) it makes
 * all that the package contains: types, the web UI and the bundle of the workflows, too.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { requireModules as requireModulesOf } from './node-modules.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const stamp = join(dist, 'built.json');
const config = 'tsconfig.build.json';
const compiler = 'node_modules/typescript/bin/tsc';
const folders = JSON.parse(readFileSync(join(root, config), 'utf8')).include;

/** Throws where a clone has no node modules yet, or others than its lock file says. */
export const requireModules = () => requireModulesOf(root, compiler);

/** What is compiled, and what is copied: programs in other languages lie beside the code that calls them. */
function sources() {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.pyc'))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length)),
  );
}

/** Changes with every source that is added, changed or removed. */
function fingerprint(files) {
  const seen = [...files, config, 'tsconfig.json'].map((file) => {
    const { mtimeMs, size } = statSync(join(root, file));
    return `${file} ${mtimeMs} ${size}`;
  });
  return seen.sort().join('\n');
}

/**
 * Takes a second where something has changed, else some milliseconds. Throws with what the compiler says of a source that it cannot
 * read; the types are checked by `npm run typecheck`, and here only where they are written.
 */
export async function build({ types = false, onProgress = () => undefined } = {}) {
  const files = sources();
  const now = { sources: fingerprint(files), types };
  const built = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {};
  if (built.sources === now.sources && (built.types || !types)) return;
  onProgress('compiling');
  // Beside it, and then file by file in its place: other processes build at the same time, and load what is there.
  const fresh = join(root, `.dist-${process.pid}`);
  try {
    const flags = types ? [] : ['--noCheck', '--declaration', 'false'];
    await run(compiler, ['-p', config, '--outDir', fresh, ...flags]);
    for (const file of files) if (!file.endsWith('.ts')) await copy(join(root, file), join(fresh, file));
    const compiled = await filesBelow(fresh);
    for (const file of compiled) await move(join(fresh, file), join(dist, file));
    for (const file of await filesBelow(dist)) {
      if (!compiled.includes(file)) await rm(join(dist, file), { force: true });
    }
    await writeFile(join(fresh, 'built.json'), JSON.stringify(now));
    await rename(join(fresh, 'built.json'), stamp);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

async function copy(from, to) {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

async function move(from, to) {
  await mkdir(dirname(to), { recursive: true });
  await rename(from, to);
}

async function run(program, args) {
  const child = spawn(process.execPath, [join(root, program), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} failed:\n${said.trim()}`);
  return output;
}

/**
 * Clients of stores, and what sends traces, with their libraries in them, in the place of the files that import those: as packages they would take thirty
 * to sixty times as much of every installation, whether or not it uses them.
 */
async function bundleClients() {
  const { build: bundle } = await import('esbuild');
  await bundle({
    entryPoints: ['stores/aws-s3', 'stores/azure-sdk', 'stores/gcs-sdk', 'client/otel'].map((file) =>
      join(root, `${file}.ts`),
    ),
    outbase: root,
    outdir: dist,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    legalComments: 'eof',
    // Libraries that are CommonJS ask for Node's own modules by `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
}

/** All that the package contains beside what lies in the clone as it is. */
async function buildPackage() {
  const say = (line) => process.stderr.write(`${line}\n`);
  await build({ types: true, onProgress: say });
  say('bundling the clients of stores and collectors');
  await bundleClients();
  const load = (file) => import(pathToFileURL(join(dist, file)).href);
  await (await load('launch/build-web.js')).ensureBuiltWeb({ onProgress: say });
  say('bundling the workflow code');
  const { bundleInto, prebuiltBundle } = await load('server/workflows/workflow-bundle.js');
  await bundleInto(prebuiltBundle);
  await writeFile(join(dist, 'help.txt'), await run('bin/epochal.mjs', ['--help']));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildPackage().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
}
