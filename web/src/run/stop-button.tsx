import { Alert, Button, Group, List, Modal, Radio, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlayerStop, IconPlayerStopFilled, IconTrash } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { RunDetails } from '../../../contracts/http-answers.ts';
import type { StopMode } from '../../../contracts/receipt.ts';
import type { RunView } from '../../../contracts/run-messages.ts';
import { call, messageOf } from '../api/call.ts';
import { useIsStale } from '../api/connection.ts';
import { runQuery } from '../api/queries.ts';
import { counted, formatSeconds } from '../formatting.ts';
import { trainingOf } from '../runs/progress-text.ts';

/** One button: says what will happen, does it; while it stops, offers to stop now. */
export function StopButton({ details }: { details: RunDetails }) {
  const { view, summary } = details;
  const [opened, { open, close }] = useDisclosure(false);
  const isStale = useIsStale();
  const state = view?.state ?? summary.state;
  if (summary.closedAt !== null || state === 'stopped' || state === 'uploading') return null;
  const isDraft = state === 'configuring';
  const isStopping = state === 'stopping';
  // The last rungs are under way: there is nothing left to ask for.
  const isKilling = view?.detail === 'stopping.kill' || view?.detail === 'stopping.terminate';
  return (
    <>
      <Button
        color={isStopping ? 'red.9' : 'red'}
        variant={isStopping ? 'filled' : 'light'}
        leftSection={
          isDraft ? (
            <IconTrash size={17} aria-hidden />
          ) : isStopping ? (
            <IconPlayerStopFilled size={17} aria-hidden />
          ) : (
            <IconPlayerStop size={17} aria-hidden />
          )
        }
        disabled={isKilling || isStale}
        onClick={open}
      >
        {isDraft ? 'Discard' : isStopping ? 'Stop now' : 'Stop'}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={isDraft ? 'Discard this draft?' : isStopping ? 'Stop now?' : 'Stop this run?'}
        centered
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {opened && (
          <StopForm details={details} kind={isDraft ? 'discard' : isStopping ? 'now' : 'stop'} onDone={close} />
        )}
      </Modal>
    </>
  );
}

interface StopFormProps {
  details: RunDetails;
  kind: 'discard' | 'stop' | 'now';
  onDone: () => void;
}

function StopForm({ details, kind, onDone }: StopFormProps) {
  const { view, summary } = details;
  const [mode, setMode] = useState<StopMode>(kind === 'now' ? 'now' : 'batch');
  const queries = useQueryClient();
  const isStale = useIsStale();
  const stop = useMutation({
    mutationFn: () => call('stop', { params: { run: summary.run }, body: { mode } }),
    onSuccess: (after) => {
      queries.setQueryData(runQuery(summary.run).queryKey, (before) => before && { ...before, view: after });
      onDone();
    },
  });
  return (
    <Stack>
      {kind === 'stop' && (
        <Radio.Group label="When" value={mode} onChange={(value) => setMode(value as StopMode)}>
          <Stack gap="xs" mt="xs">
            <Radio value="batch" label="After the current batch" description={batchTime(details)} data-autofocus />
            <Radio value="epoch" label="After the current epoch" description={epochTime(details)} />
            <Radio
              value="now"
              label="Now"
              description="Ends the trainer's processes. What was trained since the last checkpoint is lost."
            />
          </Stack>
        </Radio.Group>
      )}
      <div>
        <Text fw={600} size="sm" mb={4}>
          What will happen
        </Text>
        <List size="sm" spacing={4}>
          {(kind === 'discard'
            ? ['The draft is closed. Nothing was trained, and nothing is saved.']
            : steps(view, mode)
          ).map((step) => (
            <List.Item key={step}>{step}</List.Item>
          ))}
        </List>
      </div>
      {stop.error && (
        <Alert color="red" role="alert">
          {messageOf(stop.error)}
        </Alert>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onDone}>
          {kind === 'discard' ? 'Keep it' : 'Keep running'}
        </Button>
        <Button color="red.9" disabled={isStale} loading={stop.isPending} onClick={() => stop.mutate()}>
          {kind === 'discard' ? 'Discard draft' : mode === 'now' ? 'Stop now' : 'Stop run'}
        </Button>
      </Group>
    </Stack>
  );
}

/** What follows a stop, in order. */
function steps(view: RunView | null, mode: StopMode): string[] {
  const host = view?.session?.host;
  const limit = view?.config.deadlines?.stopSeconds ?? 120;
  const kept = view?.checkpoints.length ?? 0;
  const first = !view?.session
    ? 'No trainer is running, so there is nothing to wait for.'
    : mode === 'now'
      ? 'The trainer is sent a signal to exit; if it does not within seconds, its whole process group is killed.'
      : mode === 'epoch'
        ? 'The trainer finishes its epoch, saves a checkpoint, and exits.'
        : `The trainer saves a checkpoint at the batch boundary and exits. If it does not within ${formatSeconds(limit)}, its processes are killed.`;
  const folder = view?.outputFolder ? ` to ${view.outputFolder}` : '';
  const what = `${kept > 0 ? `${counted(kept, 'checkpoint')} and what is saved now` : 'What is saved'}, the log and the metrics`;
  return [
    first,
    `${what} are copied${folder}, and each copy is compared by size and sha256.`,
    `Only then is the run's folder${host ? ` on ${host}` : ''} removed.`,
    'The receipt says what was saved. A new run can continue from any checkpoint.',
  ];
}

function batchTime({ progress }: RunDetails): string {
  const rate = trainingOf(progress)?.rate;
  return rate && rate > 0
    ? `A batch currently takes about ${formatSeconds(1 / rate)}. Nothing is lost.`
    : 'Nothing is lost.';
}

function epochTime({ progress }: RunDetails): string {
  const training = trainingOf(progress);
  if (!training?.rate || !training.batches || training.phase !== 'train')
    return 'The epoch is validated and counts as complete.';
  const left = (training.batches - training.batch) / training.rate;
  return `About ${formatSeconds(left)} of training left in epoch ${training.epoch}, then its validation.`;
}
