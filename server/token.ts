/** The token that whoever asks must have: given by a variable, or made once and kept in the data folder. */
import { randomBytes, randomUUID } from 'node:crypto';
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dataFolderProblem, openDataFolder } from './data-folder.ts';
import { type ServerSettings, ServerSettingsError, tokenSchema } from './settings.ts';
import { codesFolder } from './sign-in-codes.ts';

/** In the data folder: readable for its owner alone. */
export const tokenFile = 'server-token';

const othersMay = 0o077;

/** Null: nobody is asked for one. Throws ServerSettingsError where none can be kept. */
export async function tokenOf({
  token,
  dataFolder,
}: Pick<ServerSettings, 'token' | 'dataFolder'>): Promise<string | null> {
  if (token.kind === 'none') return null;
  // Login sessions are kept there, whoever gave the token.
  await openDataFolder(dataFolder);
  if (token.kind === 'given') return token.token;
  return keptToken(join(dataFolder, tokenFile)).catch((error: unknown) => {
    throw dataFolderProblem(dataFolder, error);
  });
}

async function keptToken(file: string): Promise<string> {
  const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (known !== null) {
    const text = known.trim();
    const { error } = tokenSchema.safeParse(text);
    if (error) {
      const [problem] = error.issues;
      throw new ServerSettingsError(`the token in ${file} ${problem?.message}; remove the file to have a new one made`);
    }
    // Others may have read it.
    if (((await stat(file)).mode & othersMay) === 0) return text;
    await rm(file, { force: true });
  }
  // Whoever wants another token may not want what was printed before to sign in any longer.
  await rm(join(dirname(file), codesFolder), { recursive: true, force: true });
  // Written beside, then linked: of two servers that start at once, both take what the first one made.
  const beside = `${file}.${randomUUID()}.tmp`;
  await writeFile(beside, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  await link(beside, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(beside);
  return (await readFile(file, 'utf8')).trim();
}
