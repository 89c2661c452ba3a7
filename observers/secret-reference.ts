/** Secrets of a settings file, which names where they are: in a variable of the environment, or in a file of their own. */
import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { z } from 'zod';

export const secretReference = z.string().refine(
  (text) => /^env:[A-Za-z_][A-Za-z0-9_]*$/.test(text) || (text.startsWith('file:') && isAbsolute(text.slice(5))),
  // It may be the secret itself.
  {
    error:
      'must be env: and the name of a variable, or file: and an absolute path; a secret itself does not belong here',
  },
);

/** A file is read each time, so that it can be replaced. Throws an Error that tells where it should be, and nothing of it. */
export function secretAt(reference: string, env: NodeJS.ProcessEnv): string {
  if (reference.startsWith('env:')) {
    const value = env[reference.slice(4)]?.trim();
    if (!value) throw new Error(`${reference} is not set`);
    return value;
  }
  try {
    const value = readFileSync(reference.slice(5), 'utf8').trim();
    if (value) return value;
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, 'code') : null;
    throw new Error(`${reference} cannot be read: ${String(code)}`);
  }
  throw new Error(`${reference} is empty`);
}
