#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { requireNode } from '../launch/node-version.mjs';
import { hangUpWithoutNpm } from '../launch/npm-parent.mjs';

requireNode();
hangUpWithoutNpm();
const compiler = new URL('../launch/build.mjs', import.meta.url);
// A clone compiles what has changed; a package comes compiled.
if (existsSync(compiler)) {
  const { build, requireModules } = await import(compiler);
  try {
    requireModules();
    await build();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
const { main } = await import('../dist/client/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
