/** The web UI is built once, and again when its sources are newer: nobody has to remember to. A package has it built. */
import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFolder } from '../contracts/package-folder.ts';
import { runProgram } from '../worker/run-program.ts';

const root = fileURLToPath(packageFolder);
const web = join(root, 'web');

export interface BuildWebOptions {
  onProgress?: (line: string) => void;
}

/** Answers the folder to serve. Takes about ten seconds on two cores where there is something to build. */
export async function ensureBuiltWeb({ onProgress = () => undefined }: BuildWebOptions = {}): Promise<string> {
  const built = join(web, 'dist');
  if (!existsSync(join(web, 'vite.config.ts')) || (await isFresh(join(built, 'index.html')))) return built;
  onProgress('building the web UI');
  // Beside it, and then in its place: two processes may build at once, and a third may serve what is there.
  const fresh = join(web, `.dist-${process.pid}`);
  try {
    // A process of its own: what the build leaves in memory would stay for as long as this one serves.
    const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
    const args = [vite, 'build', web, '--outDir', fresh, '--emptyOutDir', '--logLevel', 'error'];
    const { code, tail } = await runProgram(process.execPath, args, { cwd: root });
    if (code !== 0) throw new Error(`the web UI could not be built: ${tail}`);
    await rm(built, { recursive: true, force: true });
    await rename(fresh, built).catch(async (error: unknown) => {
      if (!(await isFresh(join(built, 'index.html')))) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return built;
}

async function isFresh(page: string): Promise<boolean> {
  const builtAt = await changedAt(page);
  if (builtAt === null) return false;
  const sources = (
    await Promise.all(['web/src', 'web/public', 'contracts'].map((folder) => filesBelow(join(root, folder))))
  ).flat();
  sources.push(...['index.html', 'vite.config.ts', 'tsconfig.json'].map((name) => join(web, name)));
  sources.push(join(root, 'package-lock.json'));
  const times = await Promise.all(sources.map(changedAt));
  return times.every((time) => time === null || time <= builtAt);
}

async function changedAt(path: string): Promise<number | null> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
