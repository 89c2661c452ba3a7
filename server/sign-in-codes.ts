/**
 * Codes that sign in once: they go where a token should not, into an address that is printed and clicked. A file for each in the
 * data folder, named by its hash: `epochal sign-in` makes one for a server that runs, and two servers on one folder take the same.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** In the data folder. */
export const codesFolder = 'sign-in-codes';

const codeMs = 24 * 3600 * 1000;

export class SignInCodes {
  readonly #folder: string;

  constructor(dataFolder: string) {
    this.#folder = join(dataFolder, codesFolder);
  }

  async make(): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      if (!(await isFresh(file))) await rm(file, { force: true });
    }
    const code = randomBytes(24).toString('base64url');
    await writeFile(this.#file(code), '', { mode: 0o600 });
    return code;
  }

  /** Whether it was valid; from now on it is not. */
  async use(code: string): Promise<boolean> {
    const file = this.#file(code);
    const fresh = await isFresh(file);
    // Of two who use it at once, one removes the file; to `rm` one that has just gone was removed, too.
    const isFirst = await unlink(file).then(
      () => true,
      () => false,
    );
    return fresh && isFirst;
  }

  #file(code: string): string {
    return join(this.#folder, createHash('sha256').update(code).digest('hex'));
  }
}

const isFresh = (file: string): Promise<boolean> =>
  stat(file).then(
    ({ mtimeMs }) => mtimeMs + codeMs > Date.now(),
    () => false,
  );
