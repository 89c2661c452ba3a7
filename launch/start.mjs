/**
 * `npm start` and `npm run demo`. Plain Node until the node modules are there; then the same process goes on in
 * TypeScript, so that a signal has one process to reach.
 */
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
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

const { register } = await import('tsx/esm/api');
register();
const { main } = await import('./start.ts');
process.exitCode = await main(process.argv.slice(2));
