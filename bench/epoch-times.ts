/** When the epochs of a training ended, and how long they trained, by its own `metrics.jsonl`. */
import { readFile } from 'node:fs/promises';

/** Milliseconds since 1970, in order. */
export async function epochEnds(metricsFile: string): Promise<number[]> {
  return (await rowsOf(metricsFile)).map(({ at }) => Date.parse(at));
}

/** From the end of the first to the end of the last: start-up is not an epoch. */
export async function secondsPerEpoch(metricsFile: string): Promise<number> {
  const ends = await twoOrMore(metricsFile);
  return ((ends.at(-1) ?? 0) - (ends[0] ?? 0)) / 1000 / (ends.length - 1);
}

/** The fastest, in seconds: whatever else a machine does only makes an epoch slower. */
export async function fastestEpoch(metricsFile: string): Promise<number> {
  const ends = await twoOrMore(metricsFile);
  return Math.min(...ends.slice(1).map((end, index) => (end - (ends[index] ?? end)) / 1000));
}

/** Training and validating alone, without saving and waiting, by what the trainer measured: a mean, the first left out. */
export async function trainingSecondsPerEpoch(metricsFile: string): Promise<number> {
  const rows = (await rowsOf(metricsFile)).slice(1);
  if (rows.length === 0) throw new Error(`${metricsFile} has too few epochs`);
  return rows.reduce((sum, { seconds }) => sum + seconds, 0) / rows.length;
}

async function twoOrMore(metricsFile: string): Promise<number[]> {
  const ends = await epochEnds(metricsFile);
  if (ends.length < 2) throw new Error(`${metricsFile} has too few epochs`);
  return ends;
}

async function rowsOf(metricsFile: string): Promise<{ at: string; seconds: number }[]> {
  const text = await readFile(metricsFile, 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
