/** The workflow code as one bundle: part of an installed package, else made once for each version of it and kept in the cache folder. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { WorkflowBundlePath } from '@temporalio/worker';
import type { Logger } from 'pino';
import { isCompiled } from '../../contracts/package-folder.ts';

const code = fileURLToPath(new URL('../..', import.meta.url));
const ending = isCompiled ? '.js' : '.ts';
const bundler = fileURLToPath(new URL('bundle-workflows.mjs', import.meta.url));
/** Made with the package, and removed by every compilation in a clone: never older than the code beside it. */
export const prebuiltBundle = join(code, 'workflow-bundle.js');

export interface Bundle extends WorkflowBundlePath {
  /** The same for the same code: the build id of the servers that serve it. */
  digest: string;
}

/** Throws the reason of the signal where bundling was under way. */
export async function workflowBundle(cacheFolder: string, log: Logger, signal?: AbortSignal): Promise<Bundle> {
  if (isCompiled && existsSync(prebuiltBundle)) {
    const hash = createHash('sha256').update(await readFile(prebuiltBundle));
    return { codePath: prebuiltBundle, digest: shortened(hash.digest('hex')) };
  }
  const digest = await sourceHash();
  const codePath = join(cacheFolder, 'workflows', `${digest}.js`);
  if (!existsSync(codePath)) {
    log.info('bundling the workflow code (once for each version)');
    await bundleInto(codePath, signal);
  }
  return { codePath, digest };
}

/** Takes some seconds. The file appears whole. */
export async function bundleInto(codePath: string, signal?: AbortSignal): Promise<void> {
  const entries = ['workflows', 'payload-converter'].map((name) => join(code, 'workflows', `${name}${ending}`));
  await mkdir(dirname(codePath), { recursive: true });
  const bundling = promisify(execFile)(process.execPath, [bundler, ...entries, codePath], { signal });
  await bundling.catch((error: { stderr?: string }) => {
    signal?.throwIfAborted();
    throw new Error(`the workflow code could not be bundled: ${error.stderr?.trim() || error}`, { cause: error });
  });
}

const shortened = (digest: string) => digest.slice(0, 32);

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
  return shortened(hash.digest('hex'));
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
