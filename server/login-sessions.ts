/**
 * Who has signed in: a file for each session in the data folder, so that a restart signs nobody out, and two servers on one folder
 * know the same ones. What a browser holds is random; the file is named by its hash, from which nobody gets back to it.
 */
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

export const sessionSeconds = 14 * 24 * 3600;

const recordSchema = z.strictObject({
  /** When it ends, in milliseconds since 1970. */
  until: z.number(),
  /** Of the token that it was opened with: another token knows no session of it. */
  mark: z.string(),
});

export class LoginSessions {
  readonly #folder: string;
  readonly #mark: string;

  constructor(dataFolder: string, token: string) {
    this.#folder = join(dataFolder, 'login-sessions');
    this.#mark = createHmac('sha256', token).update('epochal login session').digest('base64url');
  }

  /** What the browser is to hold. */
  async open(): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#removeExpired();
    const id = randomBytes(32).toString('base64url');
    const record = { until: Date.now() + sessionSeconds * 1000, mark: this.#mark };
    const beside = join(this.#folder, `.${randomUUID()}.tmp`);
    await writeFile(beside, JSON.stringify(record), { mode: 0o600 });
    await rename(beside, this.#file(id));
    return id;
  }

  async has(id: string): Promise<boolean> {
    const record = await readRecord(this.#file(id));
    return record !== null && record.until > Date.now() && record.mark === this.#mark;
  }

  async close(id: string): Promise<void> {
    await rm(this.#file(id), { force: true });
  }

  #file(id: string): string {
    return join(this.#folder, createHash('sha256').update(id).digest('hex'));
  }

  async #removeExpired(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      const record = await readRecord(file);
      if (record !== null && record.until <= Date.now()) await rm(file, { force: true });
    }
  }
}

async function readRecord(file: string): Promise<z.infer<typeof recordSchema> | null> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}
