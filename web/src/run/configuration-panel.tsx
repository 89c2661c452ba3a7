import { Card, Group, Stack, Text, Title } from '@mantine/core';
import { IconCopy } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { call } from '../api/call.ts';
import { chunk } from '../chunk.ts';
import { CopyLine } from '../shell/copy-line.tsx';
import { LinkButton } from '../shell/link-button.tsx';
import { PageLoading } from '../shell/shell.tsx';
import { yamlOf } from '../wizard/config-yaml.ts';
import { plainJson } from '../wizard/plain-json.ts';

const YamlEditor = lazy(() =>
  chunk(() => import('../wizard/yaml-editor.tsx')).then((module) => ({ default: module.YamlEditor })),
);

export function ConfigurationPanel({ run, config }: { run: string; config: object }) {
  const plain = plainJson(config);
  const written = useQuery({
    queryKey: ['written', plain],
    queryFn: ({ signal }) => call('writeConfig', { body: { config: plain }, signal }),
    staleTime: 60_000,
  });
  return (
    <Card>
      <Stack>
        <Group justify="space-between">
          <Title order={2} size="h5">
            Configuration
          </Title>
          <LinkButton to="/new" search={{ from: run }} variant="light" leftSection={<IconCopy size={17} aria-hidden />}>
            New run like this one
          </LinkButton>
        </Group>
        <Text size="sm" c="dimmed">
          With all defaults filled in, as it is used for training.
        </Text>
        <Suspense fallback={<PageLoading />}>
          <YamlEditor label="Configuration as YAML" value={yamlOf(plain)} isReadOnly />
        </Suspense>
        {written.data && <CopyLine label="As a command" text={written.data.command} />}
      </Stack>
    </Card>
  );
}
