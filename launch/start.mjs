/**
 * `npm start` and `npm run demo` in a clone: `epochal up`, once the node modules are there and the TypeScript is compiled, in the same
 * process, so that a signal has one process to reach.
 */
import { build } from './build.mjs';
import { install, isInstalled } from './install.mjs';
import { hangUpWithoutNpm } from './npm-parent.mjs';
import { warmUp } from './warm-up.mjs';

hangUpWithoutNpm();

try {
  if (!isInstalled()) {
    const endWarmUp = warmUp();
    try {
      await install();
    } finally {
      await endWarmUp();
    }
  }
  await build({ onProgress: (line) => process.stderr.write(`${line}\n`) });
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

const { main } = await import('../dist/launch/start.js');
process.exitCode = await main(process.argv.slice(2));
