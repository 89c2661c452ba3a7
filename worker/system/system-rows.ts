/** Rows of `system.jsonl`: how two of them make one, what their peaks are, and the file that never has too many. */
import {
  type GpuUse,
  mostGpus,
  mostSystemBytes,
  mostSystemRows,
  type SystemPeaks,
  type SystemRow,
  type SystemUse,
  systemRowSchema,
  systemRowSeconds,
} from '../../contracts/system-metrics.ts';
import { appendToFile, readIfThere, replaceFile } from '../run-folders.ts';
import { jsonLines } from '../run-report.ts';

type Amount = number | null;

const highest = (a: Amount, b: Amount): Amount => (a === null ? b : b === null ? a : Math.max(a, b));
const rounded = (value: Amount, digits: number): Amount =>
  value === null ? null : Math.round(value * 10 ** digits) / 10 ** digits;

/** The later of two rows that follow each other, with what the earlier one had. */
export function joined(earlier: SystemRow, later: SystemRow): SystemRow {
  const seconds = earlier.seconds + later.seconds;
  const mean = (a: Amount, b: Amount, digits = 0): Amount => {
    if (a === null || b === null || seconds === 0) return a ?? b;
    return rounded((a * earlier.seconds + b * later.seconds) / seconds, digits);
  };
  const gpus = byIndex(earlier.gpus, later.gpus, (index, a, b) => ({
    index,
    use: mean(a.use, b.use, 3),
    memoryBytes: highest(a.memoryBytes, b.memoryBytes),
    watts: highest(a.watts, b.watts),
    celsius: highest(a.celsius, b.celsius),
  }));
  return {
    at: later.at,
    seconds: Math.round(seconds * 1000) / 1000,
    cpu: mean(earlier.cpu, later.cpu, 3),
    memoryBytes: highest(earlier.memoryBytes, later.memoryBytes),
    readBytes: mean(earlier.readBytes, later.readBytes),
    writtenBytes: mean(earlier.writtenBytes, later.writtenBytes),
    receivedBytes: mean(earlier.receivedBytes, later.receivedBytes),
    sentBytes: mean(earlier.sentBytes, later.sentBytes),
    gpus,
  };
}

const nothing: SystemUse = {
  ...{ cpu: null, memoryBytes: null, readBytes: null, writtenBytes: null, receivedBytes: null, sentBytes: null },
  gpus: [],
};

/** Null of no rows: nobody measured. */
export function peaksOf(rows: readonly SystemRow[]): SystemPeaks | null {
  if (rows.length === 0) return null;
  return rows.reduce<SystemPeaks>(
    (peaks, row) => ({
      seconds: Math.round((peaks.seconds + row.seconds) * 1000) / 1000,
      cpu: highest(peaks.cpu, row.cpu),
      memoryBytes: highest(peaks.memoryBytes, row.memoryBytes),
      readBytes: highest(peaks.readBytes, row.readBytes),
      writtenBytes: highest(peaks.writtenBytes, row.writtenBytes),
      receivedBytes: highest(peaks.receivedBytes, row.receivedBytes),
      sentBytes: highest(peaks.sentBytes, row.sentBytes),
      gpus: byIndex(peaks.gpus, row.gpus, (index, a, b) => ({
        index,
        use: highest(a.use, b.use),
        memoryBytes: highest(a.memoryBytes, b.memoryBytes),
        watts: highest(a.watts, b.watts),
        celsius: highest(a.celsius, b.celsius),
      })),
    }),
    { seconds: 0, ...nothing },
  );
}

/** One that is missing among either is as the other tells it; those that no host has room for are left out. */
function byIndex(
  a: readonly GpuUse[],
  b: readonly GpuUse[],
  both: (index: number, a: GpuUse, b: GpuUse) => GpuUse,
): GpuUse[] {
  const found = new Map(a.map((gpu) => [gpu.index, gpu]));
  for (const gpu of b) {
    const before = found.get(gpu.index);
    if (before || found.size < mostGpus) found.set(gpu.index, both(gpu.index, before ?? gpu, gpu));
  }
  return [...found.values()].sort((one, other) => one.index - other.index);
}

/** Neighbours, two by two; the last of an odd number stays. */
export const halved = (rows: readonly SystemRow[]): SystemRow[] =>
  rows.flatMap((row, index) => {
    const next = rows[index + 1];
    return index % 2 === 1 ? [] : [next ? joined(row, next) : row];
  });

export const readSystemRows = async (path: string): Promise<SystemRow[]> =>
  jsonLines(systemRowSchema, await readIfThere(path, mostSystemBytes));

export const systemLines = (rows: readonly SystemRow[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** Writes `system.jsonl`, on from what a session before has left there. */
export class SystemRows {
  readonly #path: string;
  #count: number;
  /** Of a row, in seconds. */
  #width: number;
  #pending: SystemRow | null = null;

  private constructor(path: string, rows: readonly SystemRow[]) {
    this.#path = path;
    this.#count = rows.length;
    this.#width = systemRowSeconds;
    // The file has been halved before, as most of its rows tell: the last of a session is shorter, one in which the worker stood still longer.
    const usual = rows.map(({ seconds }) => seconds).sort((a, b) => a - b)[Math.floor(rows.length / 2)] ?? 0;
    while (usual > this.#width * 1.5) this.#width *= 2;
  }

  static async open(path: string): Promise<SystemRows> {
    const text = await readIfThere(path, mostSystemBytes);
    const rows = jsonLines(systemRowSchema, text);
    // A line that a dying worker left unfinished would take the next one with it.
    if (text !== null && !text.endsWith('\n') && text !== '') await replaceFile(path, systemLines(rows));
    return new SystemRows(path, rows);
  }

  async add(row: SystemRow): Promise<void> {
    this.#pending = this.#pending ? joined(this.#pending, row) : row;
    // A tick comes a little early now and then.
    if (this.#pending.seconds < this.#width * 0.9) return;
    await this.flush();
  }

  /** What has been measured since the last row becomes one, however short. */
  async flush(): Promise<void> {
    const row = this.#pending;
    if (!row) return;
    this.#pending = null;
    if (this.#count >= mostSystemRows) await this.#halve();
    await appendToFile(this.#path, systemLines([row]));
    this.#count++;
  }

  async #halve(): Promise<void> {
    const rows = halved(await readSystemRows(this.#path));
    await replaceFile(this.#path, systemLines(rows));
    this.#count = rows.length;
    this.#width *= 2;
  }
}
