import { Card, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import type { ReactNode } from 'react';

interface EmptyStateProps {
  icon: ReactNode;
  title: string;
  /** What it means, in a sentence. */
  text?: ReactNode;
  /** What to do first. */
  children?: ReactNode;
}

/** Says why there is nothing, and what to do first. */
export function EmptyState({ icon, title, text, children }: EmptyStateProps) {
  return (
    <Card py={48}>
      <Stack align="center" gap="sm" ta="center">
        <ThemeIcon size={64} radius="xl" variant="light" aria-hidden>
          {icon}
        </ThemeIcon>
        <Title order={2} size="h4">
          {title}
        </Title>
        {text && (
          <Text c="dimmed" maw={520}>
            {text}
          </Text>
        )}
        {children}
      </Stack>
    </Card>
  );
}
