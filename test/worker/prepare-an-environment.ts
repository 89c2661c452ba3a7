/** Prints what `ensureEnvironment` says on the way, then the interpreter: for tests that need several processes. */
import { ensureEnvironment } from '../../worker/python-environments.ts';

const { python } = await ensureEnvironment({
  requirements: process.argv.slice(2),
  onProgress: (line) => process.stdout.write(`${line}\n`),
});
process.stdout.write(`${python}\n`);
