/** Ranges of numbers, and round numbers in them. */
export type Range = readonly [number, number];

/** Round numbers within `range`, about so many. */
export function ticksOf([low, high]: Range, about: number): number[] {
  const raw = (high - low) / Math.max(1, about);
  if (!(raw > 0) || !Number.isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((times) => times * power >= raw) ?? 10) * power;
  const first = Math.ceil(low / step);
  // Where a step is less than what a number of that size can tell there would be no end.
  const count = Math.min(50, Math.floor(high / step) - first + 1);
  return Array.from({ length: Math.max(0, count) }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Of all values, with some room around them; `zero`: it is in it. */
export function rangeOf(values: Iterable<number | null>, { zero = false, room = 0.05 } = {}): Range {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  if (zero) [low, high] = [Math.min(0, low), Math.max(0, high)];
  const more = (high - low || Math.abs(high) || 1) * room;
  return [zero && low === 0 ? 0 : low - more, high + more];
}
