import { Card, Text } from '@mantine/core';
import type { ReactNode } from 'react';

export function PlotCard({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Card padding="sm">
      <Text fw={600} size="sm" mb={4}>
        {title}
      </Text>
      {children}
    </Card>
  );
}
