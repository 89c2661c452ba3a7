/** The workflow code as one bundle: part of an installed package, else made once for each version of it and kept in the cache folder. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowBundlePath } from '@temporalio/worker';
import type { Logger } from 'pino';
import { isCompiled } from '../contracts/package-folder.ts';
import { runProgram } from './run-program.ts';

const code = fileURLToPath(new URL('..', import.meta.url));
const ending = isCompiled ? '.js' : '.ts';
const bundler = fileURLToPath(new URL('bundle-workflows.mjs', import.meta.url));
/** Made with the package, and removed by every compilation in a clone: never older than the code beside it. */
export const prebuiltBundle = join(code, 'workflow-bundle.js');

export async function workflowBundle(cacheFolder: string, log: Logger): Promise<WorkflowBundlePath> {
  if (isCompiled && existsSync(prebuiltBundle)) return { codePath: prebuiltBundle };
  const codePath = join(cacheFolder, 'workflows', `${await sourceHash()}.js`);
  if (!existsSync(codePath)) {
    log.info('bundling the workflow code (once for each version)');
    await bundleInto(codePath);
  }
  return { codePath };
}

/** Takes some seconds. The file appears whole. */
export async function bundleInto(codePath: string): Promise<void> {
  const entries = ['workflows', 'payload-converter'].map((name) => join(code, 'workflows', `${name}${ending}`));
  await mkdir(dirname(codePath), { recursive: true });
  const { code: exitCode, tail } = await runProgram(process.execPath, [bundler, ...entries, codePath]);
  if (exitCode !== 0) throw new Error(`the workflow code could not be bundled: ${tail}`);
}

/** Over everything that goes into the bundle: our code, and the versions of the packages. */
async function sourceHash(): Promise<string> {
  const hash = createHash('sha256');
  const require = createRequire(import.meta.url);
  for (const name of ['@temporalio/workflow', '@temporalio/worker', 'xstate', 'zod']) {
    hash.update(`${name}@${versionOf(require.resolve(name), name)}\n`);
  }
  for (const folder of ['contracts', 'workflows']) {
    for (const file of (await readdir(join(code, folder))).sort()) {
      if (file.endsWith(ending)) hash.update(`${folder}/${file}\n`).update(await readFile(join(code, folder, file)));
    }
  }
  return hash.digest('hex').slice(0, 32);
}

/** The path of an installed package's entry changes with its version only in some layouts: read its package.json. */
function versionOf(entry: string, name: string): string {
  const require = createRequire(import.meta.url);
  const folder = entry.slice(
    0,
    entry.lastIndexOf(join('node_modules', ...name.split('/'))) + join('node_modules', ...name.split('/')).length,
  );
  return (require(join(folder, 'package.json')) as { version: string }).version;
}
