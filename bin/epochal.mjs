#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
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
const args = process.argv.slice(2);
const help = new URL('../dist/help.txt', import.meta.url);
const isHelp = args.length === 1 && args[0] === '--help' && (process.stdout.columns ?? Infinity) >= 110;
if (isHelp && !existsSync(compiler) && existsSync(help)) {
  // A package has this text from when it was made: whoever asks what there is does not wait for all of it to load.
  process.stdout.on('error', () => process.exit());
  process.stdout.write(readFileSync(help));
} else {
  const { main } = await import('../dist/client/cli/main.js');
  process.exitCode = await main(args);
}
