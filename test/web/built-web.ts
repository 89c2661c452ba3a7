/** Builds the web before any test file begins: two files at once would build into the same folder. */
import { ensureBuiltWeb } from '../../launch/build-web.ts';

export async function setup(): Promise<void> {
  await ensureBuiltWeb({ onProgress: (line) => process.stderr.write(`${line}\n`) });
}
