/**
 * Exponential moving average that starts unbiased, as TensorBoard's: `weight` 0 leaves the values as they are, 0.99 is
 * very smooth. Gaps stay gaps.
 */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return [...values];
  let average = 0;
  let counted = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return value;
    average = average * weight + (1 - weight) * value;
    counted++;
    return average / (1 - weight ** counted);
  });
}
