import { Card, Group, Progress, Text, Title } from '@mantine/core';
import { goodputOf, type RunTime, type TimeCause, timeCauses, timeTitles } from '../../../contracts/run-time.ts';
import { formatPercent, formatSeconds } from '../formatting.ts';

/** Dark enough for the text that is beside it, and told apart without colours by their order. */
const colors: Readonly<Record<TimeCause, string>> = {
  training: 'teal',
  validation: 'cyan',
  saving: 'blue',
  setUp: 'indigo',
  queue: 'gray',
  restarts: 'red',
  repeated: 'orange',
  paused: 'yellow',
  wrapUp: 'violet',
};

/** Where the time of a run went, as a bar with its legend. */
export function TimeCard({ time }: { time: RunTime | undefined }) {
  if (!time) return null;
  const all = timeCauses.reduce((sum, cause) => sum + (time[cause] ?? 0), 0);
  const goodput = goodputOf(time);
  const shown = timeCauses.filter((cause) => (time[cause] ?? 0) > 0);
  if (all === 0) return null;
  return (
    <Card data-testid="time">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h5">
          Time
        </Title>
        {goodput !== null && (
          <Text size="sm" c="dimmed" className="figures">
            Goodput {formatPercent(goodput)}
          </Text>
        )}
      </Group>
      {/* The legend below says the same in words. */}
      <Progress.Root size="lg" aria-hidden mb="sm">
        {shown.map((cause) => (
          <Progress.Section
            key={cause}
            value={(100 * (time[cause] ?? 0)) / all}
            color={colors[cause]}
            withAria={false}
          />
        ))}
      </Progress.Root>
      <Group component="ul" gap="md" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Time by cause">
        {shown.map((cause) => (
          <Group component="li" key={cause} gap={6} wrap="nowrap">
            <span
              aria-hidden
              style={{
                width: 10,
                height: 10,
                borderRadius: 2,
                backgroundColor: `var(--mantine-color-${colors[cause]}-filled)`,
              }}
            />
            <Text size="sm" className="figures">
              {timeTitles[cause]} {formatSeconds(time[cause] ?? 0)}
            </Text>
          </Group>
        ))}
      </Group>
      {time.validation === null && (
        <Text size="sm" c="dimmed" mt="xs">
          Validation and saving are part of the training here: its trainer did not tell them apart.
        </Text>
      )}
    </Card>
  );
}
