import { Card, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { RunView } from '../../../contracts/run-messages.ts';
import { eventsQuery } from '../api/queries.ts';
import { formatClock, formatInstant } from '../formatting.ts';

/** What happened, newest first. Of a run that is over, its results have what it does not remember itself. */
export function EventsCard({ view }: { view: RunView }) {
  const stored = useQuery({
    ...eventsQuery(view.run, view.receipt?.outcome ?? null),
    enabled: view.state === 'stopped',
  });
  const events = (stored.data ?? view.events)
    .map((event, index) => ({ ...event, key: `${event.at} ${index}` }))
    .reverse();
  return (
    <Card>
      <Title order={2} size="h5" mb="sm">
        Events
      </Title>
      {events.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing yet.
        </Text>
      )}
      <Stack
        gap={6}
        component="ol"
        m={0}
        p={0}
        style={{ listStyle: 'none' }}
        mah={360}
        tabIndex={0}
        className="events"
        aria-label="Events, newest first"
      >
        {events.map(({ at, message, key }) => (
          <Group key={key} component="li" gap="md" wrap="nowrap" align="baseline">
            <Text
              size="sm"
              c="dimmed"
              className="figures"
              style={{ whiteSpace: 'nowrap' }}
              title={formatInstant(at)}
              component="time"
            >
              {formatClock(at)}
            </Text>
            <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
              {message}
            </Text>
          </Group>
        ))}
      </Stack>
    </Card>
  );
}
