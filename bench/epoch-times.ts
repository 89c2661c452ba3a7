/** When the epochs of a training ended, and how long they trained, by its own `metrics.jsonl`. */
import { readFile } from 'node:fs/promises';

/** Milliseconds since 1970, in order. */
export async function epochEnds(metricsFile: string): Promise<number[]> {
  return endsOf(await rowsOf(metricsFile));
}

/** From the end of the first to the end of the last: start-up is not an epoch. */
export async function secondsPerEpoch(metricsFile: string): Promise<number> {
  const ends = endsOf(await twoOrMore(metricsFile));
  return ((ends.at(-1) ?? 0) - (ends[0] ?? 0)) / 1000 / (ends.length - 1);
}

/** The fastest, in seconds: whatever else a machine does only makes an epoch slower. */
export async function fastestEpoch(metricsFile: string): Promise<number> {
  const ends = endsOf(await twoOrMore(metricsFile));
  return Math.min(...ends.slice(1).map((end, index) => (end - (ends[index] ?? end)) / 1000));
}

/** Training and validating alone, without writing checkpoints and waiting, by what the trainer measured: a mean, the first left out. */
export async function trainingSecondsPerEpoch(metricsFile: string): Promise<number> {
  const rows = (await twoOrMore(metricsFile)).slice(1);
  return rows.reduce((sum, { seconds }) => sum + seconds, 0) / rows.length;
}

interface Row {
  at: string;
  seconds: number;
}

const endsOf = (rows: readonly Row[]): number[] => rows.map(({ at }) => Date.parse(at));

async function twoOrMore(metricsFile: string): Promise<Row[]> {
  const rows = await rowsOf(metricsFile);
  if (rows.length < 2) throw new Error(`${metricsFile} has too few epochs`);
  return rows;
}

async function rowsOf(metricsFile: string): Promise<Row[]> {
  const text = await readFile(metricsFile, 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
