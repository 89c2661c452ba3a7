/** Markdown as elements: headings, lists, quotes, code, emphasis, links. HTML in it is text, and links lead to http(s) alone. */
import { Anchor, Code, List, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { blocksOf, inline, type MarkdownBlock } from './markdown-blocks.ts';

const mostLines = 2_000;

export function Markdown({ text }: { text: string }) {
  const blocks = blocksOf(text.split('\n').slice(0, mostLines));
  return (
    <div className="markdown">
      {blocks.map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks of a text have no names
        <Block key={index} block={block} />
      ))}
    </div>
  );
}

function Block({ block }: { block: MarkdownBlock }) {
  switch (block.kind) {
    case 'heading':
      // The page has its own first heading.
      return (
        <Title order={Math.min(6, block.level + 2) as 3 | 4 | 5 | 6} size={`h${Math.min(6, block.level + 2)}` as 'h3'}>
          <Inline text={block.text} />
        </Title>
      );
    case 'code':
      return <Code block>{block.text}</Code>;
    case 'list':
      return (
        <List size="sm" type={block.ordered ? 'ordered' : 'unordered'}>
          {block.items.map((item, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: items of a text have no names
            <List.Item key={index}>
              <Inline text={item} />
            </List.Item>
          ))}
        </List>
      );
    default:
      return (
        <Text size="sm" {...(block.kind === 'quote' ? { className: 'markdown-quote', c: 'dimmed' } : {})}>
          <Inline text={block.text} />
        </Text>
      );
  }
}

function Inline({ text }: { text: string }) {
  const parts: ReactNode[] = [];
  let from = 0;
  for (const found of text.matchAll(inline)) {
    const [whole, code, strong, emphasis, label, address] = found;
    parts.push(text.slice(from, found.index));
    from = found.index + whole.length;
    const key = found.index;
    if (code !== undefined) parts.push(<Code key={key}>{code}</Code>);
    else if (strong !== undefined) parts.push(<strong key={key}>{strong}</strong>);
    else if (emphasis !== undefined) parts.push(<em key={key}>{emphasis}</em>);
    else
      parts.push(
        <Anchor key={key} href={address} target="_blank" rel="noopener noreferrer" inherit>
          {label}
        </Anchor>,
      );
  }
  parts.push(text.slice(from));
  return parts;
}
