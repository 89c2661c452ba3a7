/** When the epochs of a training ended, by its own `metrics.jsonl`. */
import { readFile } from 'node:fs/promises';

/** Seconds an epoch, from the end of the first to the end of the last: start-up is not an epoch. */
export async function secondsPerEpoch(metricsFile: string): Promise<number> {
  const rows = (await readFile(metricsFile, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => Date.parse(JSON.parse(line).at));
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined || rows.length < 2)
    throw new Error(`${metricsFile} has too few epochs`);
  return (last - first) / 1000 / (rows.length - 1);
}
