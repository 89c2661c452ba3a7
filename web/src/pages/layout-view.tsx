/** What holds the widgets of a trainer's layout: containers, cards, tabs. */
import { Accordion, Alert, Card, SimpleGrid, Stack, Tabs, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import type { UiLeaf, UiNode } from '../../../contracts/ui.ts';

/** What is drawn for all that holds nothing. */
type Draw = (leaf: UiLeaf) => ReactNode;

export function LayoutView({ node, draw }: { node: UiNode; draw: Draw }) {
  switch (node.kind) {
    case 'container':
      return <Nodes nodes={node.children} columns={node.columns} draw={draw} />;
    case 'card':
      return (
        <Card className="widget-card">
          {node.title && (
            <Title order={2} size="h5" mb="sm">
              {node.title}
            </Title>
          )}
          <Nodes nodes={node.children} columns={node.columns} draw={draw} />
        </Card>
      );
    case 'collapse':
      return (
        <Accordion variant="contained" defaultValue={node.opened ? 'it' : null} keepMounted={false}>
          <Accordion.Item value="it">
            <Accordion.Control>{node.title || 'More'}</Accordion.Control>
            <Accordion.Panel>
              <Nodes nodes={node.children} columns={node.columns} draw={draw} />
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
      );
    case 'tabs':
      return <TabsOf tabs={node.tabs} draw={draw} />;
    case 'other':
      return (
        <Stack>
          <Alert color="gray" title={node.title || undefined}>
            This version of Epochal cannot show the widget “{node.was}”.
          </Alert>
          <Nodes nodes={node.children} columns={1} draw={draw} />
        </Stack>
      );
    default:
      return draw(node);
  }
}

function Nodes({ nodes, columns, draw }: { nodes: UiNode[]; columns: number; draw: Draw }) {
  const all = nodes.map((node, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: what holds widgets has no name, and a layout never changes its order
    <LayoutView key={index} node={node} draw={draw} />
  ));
  if (columns === 1) return <Stack>{all}</Stack>;
  return <SimpleGrid cols={{ base: 1, sm: Math.min(columns, 2), lg: columns }}>{all}</SimpleGrid>;
}

function TabsOf({ tabs, draw }: { tabs: { title: string; children: UiNode[] }[]; draw: Draw }) {
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
          <Nodes nodes={children} columns={1} draw={draw} />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
