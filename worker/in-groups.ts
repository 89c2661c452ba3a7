/** Files that are read at the same time: each takes a descriptor, and a process has few of them. */
const filesAtOnce = 16;

/** Like `Promise.all(items.map(work))`, with a few at a time. */
export async function inGroups<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  atOnce = filesAtOnce,
): Promise<R[]> {
  const results: R[] = [];
  for (let begin = 0; begin < items.length; begin += atOnce) {
    results.push(...(await Promise.all(items.slice(begin, begin + atOnce).map(work))));
  }
  return results;
}
