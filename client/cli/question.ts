/** A question before something is done that is not meant lightly. */
import { createInterface } from 'node:readline/promises';
import { ConfigError } from '../errors.ts';

/** Whether the answer is yes. Throws ConfigError where nobody can be asked. */
export async function agrees(
  question: string,
  { command, otherwise = 'nothing was removed' }: { command: string; otherwise?: string },
): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new ConfigError([], { message: `${command} needs --yes where nobody can be asked: ${otherwise}` });
  const asked = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await asked.question(`${question} [y/N] `)).trim());
  } finally {
    asked.close();
  }
}
