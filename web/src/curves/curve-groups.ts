/** Which curves share a plot. Pure. */

export interface CurveGroup {
  title: string;
  metrics: string[];
}

const splitPrefix = /^(train|training|val|valid|validation|test)[_/]/i;
const splitSuffix = /[_/](train|val)$/i;

/** `train_loss` and `val_loss` are the same quantity of two splits, and so are drawn together. */
export const quantityOf = (metric: string): string =>
  metric.replace(splitPrefix, '').replace(splitSuffix, '') || metric;

/** Losses first, then the others in their order, the learning rate last. */
export function groupCurves(metrics: readonly string[]): CurveGroup[] {
  const groups = new Map<string, string[]>();
  for (const metric of metrics) groups.set(quantityOf(metric), [...(groups.get(quantityOf(metric)) ?? []), metric]);
  const rank = (title: string) => (/loss/i.test(title) ? 0 : /^(lr|learning_rate)/i.test(title) ? 2 : 1);
  return [...groups]
    .map(([title, members]) => ({ title: members.length === 1 ? (members[0] ?? title) : title, metrics: members }))
    .sort((a, b) => rank(a.title) - rank(b.title));
}
