/** Tables without frames: easy to read, easy to cut with other tools. */
import { createRequire } from 'node:module';
import { colors } from './colors.ts';
import { plain } from './format.ts';

const require = createRequire(import.meta.url);
/** Loaded with the first table: help needs none. */
const tables = (): typeof import('cli-table3') => require('cli-table3');

const noFrame = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right', '-top', '-bottom'].map((end) => [`${side}${end}`, '']),
  ),
);

export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new (tables())({
    head: head.map((cell) => colors.dim(cell)),
    chars: { ...noFrame, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => row.map(plain)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** `name  value` lines; rows without a value are left out. */
export function factsText(facts: readonly (readonly [string, string | null | undefined])[]): string {
  const shown = facts.filter((fact): fact is readonly [string, string] => Boolean(fact[1]));
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${colors.dim(name.padEnd(width))}  ${value}`).join('\n');
}
