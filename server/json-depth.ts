/** Without a call for each level: what is asked is whether such calls would end. */
export function isDeeper(value: unknown, most: number): boolean {
  const open: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value !== 'object' || next.value === null) continue;
    const depth = next.depth + 1;
    if (depth > most) return true;
    for (const part of Object.values(next.value)) open.push({ value: part, depth });
  }
  return false;
}
