import { Alert, Anchor, Group, List, Loader, Text } from '@mantine/core';
import { IconCircleCheck, IconPlugConnectedX } from '@tabler/icons-react';
import { problemSentence } from '../../../contracts/failure.ts';
import { stepOf } from './steps.ts';
import type { Problems } from './use-problems.ts';

/** What is known of the configuration now: its problems, or that a worker found it fine. */
export function CheckLine({ problems, onGo }: { problems: Problems; onGo: (step: number) => void }) {
  const { all, check } = problems;
  return (
    <div aria-live="polite" data-testid="check" data-check={all.length > 0 ? 'problems' : check.kind}>
      {all.length > 0 && (
        <Alert color="red" title={all.length === 1 ? '1 error to fix' : `${all.length} errors to fix`}>
          <List size="sm">
            {all.map((problem) => (
              <List.Item key={problem.field}>
                <Anchor
                  component="button"
                  type="button"
                  size="sm"
                  ta="left"
                  c="inherit"
                  td="underline"
                  onClick={() => onGo(stepOf(problem))}
                >
                  {problemSentence(problem)}
                </Anchor>
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {all.length === 0 && check.kind === 'checking' && (
        <Group gap="xs">
          <Loader size="xs" aria-hidden />
          <Text size="sm" c="dimmed">
            Validating…
          </Text>
        </Group>
      )}
      {all.length === 0 && check.kind === 'fine' && (
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <IconCircleCheck size={18} color="var(--mantine-color-teal-6)" aria-hidden />
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            Valid. Results go to {check.outputFolder}
            {check.notes.map((note) => ` Note: ${note}.`)}
          </Text>
        </Group>
      )}
      {all.length === 0 && check.kind === 'away' && (
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <IconPlugConnectedX size={18} color="var(--mantine-color-orange-6)" aria-hidden />
          <Text size="sm">Not validated by a worker: {check.why}</Text>
        </Group>
      )}
    </div>
  );
}
