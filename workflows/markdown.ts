/** Texts that others wrote (a trainer, a configuration, a path) in the Markdown that Temporal's UI shows. Pure. */

/** Line ends and other control characters would end the line that the text is in, or reorder it. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/** As it is written, on one line: no markup, link, image or table cell comes of it. */
export const plain = (text: string): string => text.replace(unprintable, ' ').replace(/[\\`*_~[\]<>()#|!&$]/g, '\\$&');

/** The same in a fixed-width font. */
export function code(text: string): string {
  const line = text.replace(unprintable, ' ');
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  // With a space at both ends, which is not shown, a backtick may be the first or last character.
  return longest > 0 ? `${fence} ${line} ${fence}` : `${fence}${line}${fence}`;
}
