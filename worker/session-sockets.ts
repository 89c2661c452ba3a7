/**
 * Where the sockets of a session are: the trainer's, and that of its supervisor. Their paths are short, whatever the run and
 * the data folder are called: the kernel takes about a hundred bytes.
 */
import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** In bytes; macOS takes 103, Linux 107. */
export const longestSocketPath = 100;
const nameLength = 12;
const supervisorsEnding = '.s';
/** In a folder of a session alone. */
const ownName = 't';

/** Of the supervisor whose trainer listens on `socket`. */
export const supervisorSocket = (socket: string): string => `${socket}${supervisorsEnding}`;

export class SessionSockets {
  readonly #candidates: readonly string[];
  #folder: Promise<string> | null = null;

  /** The first of these folders that does is used; they are made where they are missing. */
  constructor(
    dataFolder: string,
    others: readonly string[] = [tmpdir(), '/tmp'].map((folder) => join(folder, `epochal-${process.getuid?.() ?? 0}`)),
  ) {
    this.#candidates = [join(dataFolder, 'sockets'), ...others];
  }

  /** The path on which the trainer of a new session is to listen. `alone`: in a folder of its own, which is made. Throws where no folder does. */
  async pathOf(session: string, alone = false): Promise<string> {
    this.#folder ??= this.#find();
    this.#folder.catch(() => {
      this.#folder = null;
    });
    const path = pathIn(await this.#folder, session);
    if (!alone) return path;
    await mkdir(path, { recursive: true, mode: 0o700 });
    return join(path, ownName);
  }

  /** Removes what trainers of before have left in the data folder; `sockets` may still be listened on. */
  async keepOnly(sockets: readonly string[]): Promise<void> {
    const [folder = ''] = this.#candidates;
    const known = new Set(sockets.flatMap((socket) => [socket, supervisorSocket(socket), dirname(socket)]));
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      if (!known.has(path)) await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  async #find(): Promise<string> {
    const reasons: string[] = [];
    for (const folder of this.#candidates) {
      const reason = await unusable(folder);
      if (reason === null) return folder;
      reasons.push(`${folder}: ${reason}`);
    }
    throw new Error(`there is no folder for the sockets of trainers (${reasons.join('; ')})`);
  }
}

/** Those of a session that is over. */
export async function removeSockets(socket: string): Promise<void> {
  const isAlone = basename(socket) === ownName;
  for (const path of isAlone ? [dirname(socket)] : [socket, supervisorSocket(socket)])
    await rm(path, { recursive: isAlone, force: true }).catch(() => undefined);
}

const pathIn = (folder: string, session: string) => join(folder, session.replaceAll('-', '').slice(0, nameLength));

/** Null where this user alone has the folder, and it holds sockets. */
async function unusable(folder: string): Promise<string | null> {
  const probe = pathIn(folder, randomUUID());
  if (Buffer.byteLength(supervisorSocket(probe)) > longestSocketPath) {
    return `paths in it are longer than ${longestSocketPath} bytes`;
  }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = await lstat(folder).then((found) => (found.isDirectory() ? found : { uid: -1, mode: 0 }));
    if (uid !== (process.getuid?.() ?? uid) || (mode & 0o077) !== 0) return 'others may write or look into it';
    await listenOnce(probe);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Throws on a file system without sockets. */
function listenOnce(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(path, () => server.close(() => resolve()));
  });
}
