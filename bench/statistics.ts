/** Medians and percentiles of a few measured numbers. */

/** The value below which `share` of the numbers lie, by the nearest rank; throws for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error('a percentile of nothing');
  return value;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error('a median of nothing');
  return (low + high) / 2;
};

/**
 * Between which two of the numbers the median of all that could be measured lies, with a confidence of at least 95 %, however they are distributed: by the binomial distribution of how many
 * are below it. Of fewer than six these are the least and the greatest, with less.
 */
export function medianInterval(values: readonly number[]): [low: number, high: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  let [outside, term] = [0, 0.5 ** count];
  let cut = 0;
  // What both ends would leave out together.
  for (let index = 0; index < count / 2 && 2 * (outside + term) <= 0.05; index += 1) {
    outside += term;
    term *= (count - index) / (index + 1);
    cut = index;
  }
  const [low, high] = [sorted[cut], sorted[count - 1 - cut]];
  if (low === undefined || high === undefined) throw new Error('an interval of nothing');
  return [low, high];
}

export const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));
