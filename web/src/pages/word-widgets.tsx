/** Widgets of words. */
import { Alert, Group, Progress, Text } from '@mantine/core';
import type { ValueOf } from '../../../contracts/ui-values.ts';
import { formatMetric } from '../formatting.ts';
import { framed } from './framed-html.ts';
import { Markdown } from './markdown.tsx';

const lineBreaks = { whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' } as const;

export function TextView({ text }: ValueOf<'text'>) {
  return (
    <Text size="sm" style={lineBreaks}>
      {text}
    </Text>
  );
}

export function MarkdownView({ text }: ValueOf<'markdown'>) {
  return <Markdown text={text} />;
}

const colors = { info: 'blue', success: 'teal', warning: 'orange', error: 'red' } as const;

export function AlertView({ text, color, title }: ValueOf<'alert'> & { title: string }) {
  if (text === '') return <span hidden />;
  return (
    <Alert color={colors[color]} title={title || undefined} style={lineBreaks}>
      {text}
    </Alert>
  );
}

export function ProgressView({ done, total, text, label }: ValueOf<'progress'> & { label: string }) {
  const percent = done !== null && total !== null && total > 0 ? Math.min(100, Math.max(0, (done / total) * 100)) : 0;
  return (
    <div>
      <Progress.Root size="lg">
        <Progress.Section value={percent} aria-label={label} />
      </Progress.Root>
      <Group justify="space-between" mt={2}>
        <Text size="xs" c="dimmed">
          {text}
        </Text>
        <Text size="xs" c="dimmed" className="figures">
          {done === null || total === null ? 'unknown' : `${formatMetric(done)} of ${formatMetric(total)}`}
        </Text>
      </Group>
    </div>
  );
}

export function HtmlView({ text, label, height }: ValueOf<'html'> & { label: string; height: number }) {
  return (
    <iframe
      title={label}
      sandbox=""
      srcDoc={framed(text)}
      referrerPolicy="no-referrer"
      loading="lazy"
      className="widget-html"
      style={{ height }}
    />
  );
}
