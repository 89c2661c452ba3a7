/** The pages of a trainer, as its layout says. */
import { Accordion, Alert, Card, SimpleGrid, Stack, Tabs, Title } from '@mantine/core';
import type { RunPages } from '../../../contracts/http-pages.ts';
import type { UiNode } from '../../../contracts/ui.ts';
import type { PageRow } from '../../../contracts/ui-values.ts';
import { layoutOf, rowsByWidget } from './run-pages.ts';
import { WidgetFrame } from './widget-frame.tsx';
import './pages.css';

export interface Shown {
  run: string;
  rows: ReadonlyMap<string, PageRow[]>;
}

export function PagesPanel({ run, pages }: { run: string; pages: RunPages }) {
  const layout = layoutOf(pages);
  return layout && <Node node={layout} shown={{ run, rows: rowsByWidget(pages.rows) }} />;
}

function Node({ node, shown }: { node: UiNode; shown: Shown }) {
  switch (node.kind) {
    case 'container':
      return <Nodes nodes={node.children} columns={node.columns} shown={shown} />;
    case 'card':
      return (
        <Card className="widget-card">
          {node.title && (
            <Title order={2} size="h5" mb="sm">
              {node.title}
            </Title>
          )}
          <Nodes nodes={node.children} columns={node.columns} shown={shown} />
        </Card>
      );
    case 'collapse':
      return (
        <Accordion variant="contained" defaultValue={node.opened ? 'it' : null} keepMounted={false}>
          <Accordion.Item value="it">
            <Accordion.Control>{node.title || 'More'}</Accordion.Control>
            <Accordion.Panel>
              <Nodes nodes={node.children} columns={node.columns} shown={shown} />
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
      );
    case 'tabs':
      return <TabsOf tabs={node.tabs} shown={shown} />;
    case 'other':
      return (
        <Stack>
          <Alert color="gray" title={node.title || undefined}>
            This version of Epochal cannot show the widget “{node.was}”.
          </Alert>
          <Nodes nodes={node.children} columns={1} shown={shown} />
        </Stack>
      );
    default:
      return <WidgetFrame widget={node} rows={shown.rows.get(node.id) ?? []} run={shown.run} />;
  }
}

function Nodes({ nodes, columns, shown }: { nodes: UiNode[]; columns: number; shown: Shown }) {
  const all = nodes.map((node, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: what holds widgets has no name, and a layout never changes its order
    <Node key={index} node={node} shown={shown} />
  ));
  if (columns === 1) return <Stack>{all}</Stack>;
  return <SimpleGrid cols={{ base: 1, sm: Math.min(columns, 2), lg: columns }}>{all}</SimpleGrid>;
}

function TabsOf({ tabs, shown }: { tabs: { title: string; children: UiNode[] }[]; shown: Shown }) {
  if (tabs.length === 0) return null;
  return (
    <Tabs defaultValue="0" keepMounted={false}>
      <Tabs.List mb="sm">
        {tabs.map(({ title }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two tabs may have one title
          <Tabs.Tab key={index} value={String(index)}>
            {title || `Tab ${index + 1}`}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {tabs.map(({ children }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: as above
        <Tabs.Panel key={index} value={String(index)}>
          <Nodes nodes={children} columns={1} shown={shown} />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
