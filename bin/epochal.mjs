#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { requireNode } from '../launch/node-version.mjs';
import { hangUpWithoutNpm } from '../launch/npm-parent.mjs';

requireNode();
hangUpWithoutNpm();
const { register } = await import('tsx/esm/api').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  const root = fileURLToPath(new URL('..', import.meta.url));
  process.stderr.write(
    `Epochal's node modules are not installed: run \`npm ci\` in ${root} (npm start does it by itself)\n`,
  );
  process.exit(1);
});
register();
const { main } = await import('../client/cli/main.ts');
process.exitCode = await main(process.argv.slice(2));
