/** The workflow code as one bundle, made once for each version of it and kept in the cache folder. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Logger } from 'pino';
import { temporalLogger } from './log.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const workflowsPath = join(root, 'workflows', 'workflows.ts');
const payloadConverterPath = join(root, 'workflows', 'payload-converter.ts');

export async function workflowBundle(cacheFolder: string, log: Logger): Promise<WorkflowBundleWithSourceMap> {
  const path = join(cacheFolder, 'workflows', `${await sourceHash()}.js`);
  const kept = await readFile(path, 'utf8').catch(() => null);
  if (kept !== null) return { code: kept, sourceMap: '' };
  log.info('bundling the workflow code (once for each version)');
  const logger = temporalLogger(log.child({}, { level: 'warn' }));
  const bundle = await bundleWorkflowCode({ workflowsPath, payloadConverterPath, logger });
  await mkdir(join(cacheFolder, 'workflows'), { recursive: true });
  const beside = `${path}.${process.pid}`;
  await writeFile(beside, bundle.code);
  await rename(beside, path);
  return bundle;
}

/** Over everything that goes into the bundle: our sources, and the versions of the packages. */
async function sourceHash(): Promise<string> {
  const hash = createHash('sha256');
  const require = createRequire(import.meta.url);
  for (const name of ['@temporalio/workflow', '@temporalio/worker', 'xstate', 'zod']) {
    hash.update(`${name}@${versionOf(require.resolve(name), name)}\n`);
  }
  for (const folder of ['contracts', 'workflows']) {
    for (const file of (await readdir(join(root, folder))).sort()) {
      if (file.endsWith('.ts')) hash.update(`${folder}/${file}\n`).update(await readFile(join(root, folder, file)));
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
