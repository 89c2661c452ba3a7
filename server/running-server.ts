/** Where the server of a data folder is: for `epochal sign-in`, which knows the folder alone. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isAlive } from './is-alive.ts';
import { ServerSettingsError } from './settings.ts';
import { SignInCodes } from './sign-in-codes.ts';

const runningSchema = z.strictObject({ address: z.string(), pid: z.int() });
const fileOf = (dataFolder: string) => join(dataFolder, 'server.json');

/** Answers how to take it back. The last one to start is the one that is found. */
export async function announceServer(dataFolder: string, address: string): Promise<() => Promise<void>> {
  const file = fileOf(dataFolder);
  await writeFile(file, JSON.stringify({ address, pid: process.pid }), { mode: 0o600 });
  return async () => {
    if ((await announced(file))?.pid === process.pid) await rm(file, { force: true });
  };
}

/** Throws ServerSettingsError where no server runs on this data folder. */
export async function signInAddress(dataFolder: string): Promise<string> {
  const running = await announced(fileOf(dataFolder));
  if (running === null || !isAlive(running.pid)) {
    throw new ServerSettingsError(
      `no server that asks for a token is running on the data folder ${JSON.stringify(dataFolder)}: start one by "epochal up" or "epochal server", or name its folder in EPOCHAL_DATA_DIR`,
    );
  }
  return `${running.address}/#code=${await new SignInCodes(dataFolder).make()}`;
}

async function announced(file: string): Promise<z.infer<typeof runningSchema> | null> {
  try {
    return runningSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}
