import { Card, Stack, Text, Timeline, Title } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import type { LiveProgress } from '../../../contracts/http-answers.ts';
import type { RunView } from '../../../contracts/run-messages.ts';
import { partDone, trainingOf, workOf, workText } from '../runs/progress-text.ts';
import { Bar } from './progress-card.tsx';

const phases = ['stop', 'publish', 'clean', 'done'] as const;

/** From the stop to the receipt: what is done, what is being done, what follows. */
export function LandingCard({ view, progress }: { view: RunView; progress: LiveProgress[] }) {
  const now =
    view.state === 'stopping'
      ? 'stop'
      : view.detail === 'uploading.cleaningUp'
        ? 'clean'
        : view.state === 'uploading'
          ? 'publish'
          : 'done';
  const active = phases.indexOf(now);
  const works = workOf(progress);
  const bullet = (phase: (typeof phases)[number]) =>
    phases.indexOf(phase) < active ? <IconCheck size={14} aria-hidden /> : null;
  const host = view.session?.host ?? 'the host';
  return (
    <Card h="100%" data-testid="landing">
      <Title order={2} size="h5" mb="md">
        {view.state === 'stopping' ? 'Stopping' : 'Publishing'}
      </Title>
      <Timeline active={active} bulletSize={24} lineWidth={2}>
        <Timeline.Item title="Stop the trainer" bullet={bullet('stop')}>
          <Text size="sm" c="dimmed">
            {now === 'stop' ? rungText(view, progress) : 'It has exited.'}
          </Text>
        </Timeline.Item>
        <Timeline.Item title="Publish and verify" bullet={bullet('publish')}>
          {now === 'publish' ? (
            <Stack gap={6} mt={4}>
              {works.length === 0 && (
                <Text size="sm" c="dimmed">
                  Copying to {view.outputFolder ?? 'the store'}
                </Text>
              )}
              {works.map((work) => (
                <div key={work.doing}>
                  <Bar
                    label={work.doing}
                    part={partDone(work)}
                    text={workText(work).slice(work.doing.length + 2)}
                    right=""
                    color="violet"
                  />
                  {work.trouble && (
                    <Text size="sm" c="orange">
                      Retrying: {work.trouble}
                    </Text>
                  )}
                </div>
              ))}
            </Stack>
          ) : (
            <Text size="sm" c="dimmed">
              {active > 1
                ? 'Done as far as possible: the receipt says what was saved.'
                : `Checkpoints, log and metrics go to ${view.outputFolder ?? 'the store'}.`}
            </Text>
          )}
        </Timeline.Item>
        <Timeline.Item title="Clean up" bullet={bullet('clean')}>
          <Text size="sm" c="dimmed">
            The run's folder on {host} is removed if every copy was verified; otherwise it stays.
          </Text>
        </Timeline.Item>
        <Timeline.Item title="Receipt">
          <Text size="sm" c="dimmed">
            Says what was saved.
          </Text>
        </Timeline.Item>
      </Timeline>
    </Card>
  );
}

function rungText(view: RunView, progress: LiveProgress[]): string {
  const training = trainingOf(progress);
  const at = training && training.phase === 'train' ? ` (epoch ${training.epoch}, batch ${training.batch})` : '';
  switch (view.detail) {
    case 'stopping.epoch':
      return `It finishes the current epoch${at}.`;
    case 'stopping.terminate':
      return 'It was sent the signal to exit.';
    case 'stopping.kill':
      return 'Its processes are being killed.';
    default:
      return `It saves a checkpoint at the batch boundary${at}.`;
  }
}
