/** Markdown as blocks. */
export type MarkdownBlock =
  | { kind: 'heading'; level: number; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'list'; ordered: boolean; items: string[] }
  | { kind: 'quote' | 'paragraph'; text: string };

export function blocksOf(lines: readonly string[]): MarkdownBlock[] {
  const blocks: MarkdownBlock[] = [];
  let code: string[] | null = null;
  let isOpen = false;
  for (const line of lines) {
    if (/^\s*```/.test(line)) {
      if (code) blocks.push({ kind: 'code', text: code.join('\n') });
      code = code ? null : [];
      isOpen = false;
      continue;
    }
    if (code) {
      code.push(line);
      continue;
    }
    const heading = /^(#{1,6}) +(.*)$/.exec(line);
    const item = /^\s*(?:[-*+]|(\d+)[.)]) +(.*)$/.exec(line);
    const last = isOpen ? blocks.at(-1) : undefined;
    isOpen = line.trim() !== '' && !heading;
    if (heading) blocks.push({ kind: 'heading', level: heading[1]?.length ?? 1, text: heading[2] ?? '' });
    else if (item) {
      const ordered = item[1] !== undefined;
      if (last?.kind === 'list' && last.ordered === ordered) last.items.push(item[2] ?? '');
      else blocks.push({ kind: 'list', ordered, items: [item[2] ?? ''] });
    } else if (line.startsWith('>')) {
      const text = line.replace(/^> ?/, '');
      if (last?.kind === 'quote') last.text += `\n${text}`;
      else blocks.push({ kind: 'quote', text });
    } else if (line.trim() !== '') {
      if (last?.kind === 'paragraph') last.text += `\n${line}`;
      else if (last?.kind === 'list') last.items.push(`${last.items.pop() ?? ''} ${line.trim()}`);
      else blocks.push({ kind: 'paragraph', text: line });
    }
  }
  if (code) blocks.push({ kind: 'code', text: code.join('\n') });
  return blocks;
}

/** Each alternative begins with a character of its own and has no choice within: no text takes long. */
export const inline = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|\*([^*\n]+)\*|\[([^\][\n]+)\]\((https?:\/\/[^\s()<>"]+)\)/g;
