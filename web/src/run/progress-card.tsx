import { Card, Group, Progress, Stack, Text, Title } from '@mantine/core';
import type { LiveProgress } from '../../../contracts/http-answers.ts';
import type { RunView } from '../../../contracts/run-messages.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { formatCount, formatPercent, formatSeconds } from '../formatting.ts';
import {
  partDone,
  partTrained,
  phaseNames,
  type TrainingProgress,
  trainingOf,
  waitingOf,
  waitingText,
  workOf,
  workText,
} from '../runs/progress-text.ts';

interface ProgressCardProps {
  view: RunView;
  progress: LiveProgress[];
  isOver: boolean;
}

export function ProgressCard({ view, progress, isOver }: ProgressCardProps) {
  const training = isOver ? null : trainingOf(progress);
  const waiting = isOver ? null : waitingOf(progress);
  const trained = view.position.epoch;
  const epochs = view.epochs ?? training?.epochs ?? null;
  const part = training ? partTrained(training) : epochs ? trained / epochs : 0;
  const left = training ? secondsLeft(view, training) : null;
  return (
    <Card h="100%" data-testid="progress">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h5">
            {headline(view, training, isOver)}
          </Title>
          {left !== null && (
            <Text size="sm" c="dimmed" className="figures">
              about {formatSeconds(left)} left
            </Text>
          )}
        </Group>
        {epochs !== null && (
          <Bar
            label="Epochs"
            part={part}
            text={`${formatCount(trained)} of ${formatCount(epochs)} complete`}
            right={formatPercent(part)}
          />
        )}
        {training && (training.phase === 'train' || training.phase === 'validate') && (
          <Bar
            label={training.phase === 'train' ? `Epoch ${training.epoch}` : `Validation of epoch ${training.epoch}`}
            part={training.batches ? training.batch / training.batches : null}
            text={`batch ${formatCount(training.batch)}${training.batches ? ` of ${formatCount(training.batches)}` : ''}`}
            right={training.rate ? `${rateText(training.rate)}` : ''}
          />
        )}
        {training?.memoryBytes != null && (
          <Text size="sm" c="dimmed" className="figures">
            Memory {sizeText(training.memoryBytes)}
          </Text>
        )}
        {waiting && (
          <Text size="sm" c="dimmed" className="figures">
            {capital(waitingText(waiting))}
          </Text>
        )}
        {workOf(progress).map((work) => (
          <div key={work.doing}>
            {partDone(work) === null ? (
              <Text size="sm" c="dimmed">
                {workText(work)}
              </Text>
            ) : (
              <Bar label={work.doing} part={partDone(work)} text={workText(work)} right="" color="violet" />
            )}
            {work.trouble && (
              <Text size="sm" c="orange">
                {work.trouble}
              </Text>
            )}
          </div>
        ))}
      </Stack>
    </Card>
  );
}

interface BarProps {
  label: string;
  /** Null where it is not known how far it goes. */
  part: number | null;
  text: string;
  right: string;
  color?: string;
}

export function Bar({ label, part, text, right, color = 'indigo' }: BarProps) {
  return (
    <div>
      <Group justify="space-between" mb={4} wrap="nowrap">
        <Text size="sm">
          {label}{' '}
          <Text span c="dimmed" className="figures">
            {text}
          </Text>
        </Text>
        <Text size="sm" className="figures" style={{ whiteSpace: 'nowrap' }}>
          {right}
        </Text>
      </Group>
      <Progress
        value={(part ?? 1) * 100}
        color={color}
        animated={part === null}
        striped={part === null}
        size="md"
        aria-label={`${label}: ${text}`}
      />
    </div>
  );
}

function headline(view: RunView, training: TrainingProgress | null, isOver: boolean): string {
  if (isOver || view.state === 'stopped') return 'Trained';
  switch (view.detail) {
    case 'configuring.draft':
      return 'Draft: not started yet';
    case 'configuring.validating':
      return 'Validating the configuration';
    case 'training.acquiring':
      return training || view.session ? 'Setting up' : 'Waiting for a free slot';
    case 'training.finishing':
      return 'All epochs trained; finishing';
    case 'training.recovering':
      return 'Waiting before the next restart';
    case 'training.pausing':
      return 'Pausing at the batch boundary';
    case 'training.paused':
      return 'Paused: the GPU is free for others';
    default:
      return training ? capital(phaseNames[training.phase]) : 'Training';
  }
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export const rateText = (rate: number): string =>
  rate >= 1 ? `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} batches/s` : `${formatSeconds(1 / rate)} a batch`;

/** By how long the last epochs took, else by the batches of this one. */
function secondsLeft(view: RunView, training: TrainingProgress): number | null {
  if (training.phase === 'setUp' || training.phase === 'finish') return null;
  const recent = view.curve.slice(-5);
  const perEpoch =
    recent.length > 0
      ? recent.reduce((sum, { seconds }) => sum + seconds, 0) / recent.length
      : training.rate && training.batches
        ? training.batches / training.rate
        : null;
  if (perEpoch === null) return null;
  return Math.max(0, (1 - partTrained(training)) * training.epochs * perEpoch);
}
