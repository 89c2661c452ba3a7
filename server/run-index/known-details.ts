/**
 * What runs that are over said of themselves, as lines of a file: a server that starts does not ask all of them again. It is a cache, shared
 * by the servers on one data folder: a line that cannot be read is passed over, and without the file all is asked anew.
 */
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { detailsSchema, type RunDetails } from './indexed-run.ts';

export interface Known {
  version: string;
  details: RunDetails;
}

const lineSchema = z.object({ run: z.string(), version: z.string(), details: detailsSchema });

/** What is larger is not read, nor added to. */
const largestFile = 512 * 1024 * 1024;
const linesAtOnce = 100;

export class KnownDetails {
  constructor(private readonly file: string) {}

  /** By run; of lines about one run, the last. Written anew where half of the lines are of the past. */
  async read(): Promise<Map<string, Known>> {
    const known = new Map<string, Known>();
    if ((await this.#size()) > largestFile) return known;
    const lines = (await readFile(this.file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
    for (const [at, line] of lines.entries()) {
      // The thread that reads answers requests, too.
      if (at % linesAtOnce === 0) await setImmediate();
      const { data } = lineSchema.safeParse(jsonOf(line));
      if (data) known.set(data.run, { version: data.version, details: data.details });
    }
    if (lines.length > 1_000 && lines.length > known.size * 2) await this.#replace(known);
    return known;
  }

  async add(runs: readonly (Known & { run: string })[]): Promise<void> {
    if (runs.length === 0 || (await this.#size()) > largestFile) return;
    await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
    // What another process broke off within a line is a line of its own.
    await appendFile(this.file, `\n${runs.map((run) => JSON.stringify(run)).join('\n')}\n`, { mode: 0o600 });
  }

  async #replace(known: ReadonlyMap<string, Known>): Promise<void> {
    // In containers all servers have one process id.
    const fresh = `${this.file}.${randomUUID()}`;
    try {
      const lines = [...known].map(([run, one]) => JSON.stringify({ run, ...one }));
      await writeFile(fresh, `${lines.join('\n')}\n`, { mode: 0o600 });
      await rename(fresh, this.file);
    } catch {
      // It stays as long as it was.
      await rm(fresh, { force: true }).catch(() => undefined);
    }
  }

  #size = (): Promise<number> =>
    stat(this.file).then(
      ({ size }) => size,
      () => 0,
    );
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
