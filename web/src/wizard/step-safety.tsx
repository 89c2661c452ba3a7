import { Accordion, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import type { TrainerManifest } from '../../../contracts/trainer-manifest.ts';
import { NumberField, SelectField, type StepProps, TextField } from './config-fields.tsx';
import { valueAt, withValue } from './plain-json.ts';

export function StepSafety({ written, problems, manifest }: StepProps & { manifest: TrainerManifest | undefined }) {
  const bound = { written, problems };
  const best = manifest?.best;
  const metrics = manifest?.metrics.map(({ name }) => name) ?? [];
  const hasOwnBest = valueAt(written.config, ['checkpoints', 'best']) !== undefined;
  return (
    <Stack gap="lg">
      <section aria-labelledby="checkpoints-title">
        <Title order={2} size="h4" id="checkpoints-title">
          Checkpoints
        </Title>
        <Text size="sm" c="dimmed" mb="sm">
          One is saved at the end of every epoch and copied to the store while the next epoch trains. These are
          retained:
        </Text>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <SelectOrText
            {...bound}
            metrics={metrics}
            label="Best by"
            description={
              best && !hasOwnBest ? `The trainer's own choice is ${best.metric}` : 'A metric that the trainer reports'
            }
            placeholder={best?.metric ?? ''}
          />
          <SelectField
            {...bound}
            field="checkpoints.best.mode"
            label="Best value"
            description="Whether a higher or a lower value is better"
            options={[
              ...(hasOwnBest
                ? []
                : [
                    {
                      value: '',
                      label: best
                        ? `the ${best.mode === 'max' ? 'highest' : 'lowest'}, as the trainer says`
                        : 'as the trainer says',
                    },
                  ]),
              { value: 'max', label: 'the highest' },
              { value: 'min', label: 'the lowest' },
            ]}
          />
          <NumberField
            {...bound}
            field="checkpoints.last"
            label="Keep last N"
            description="How many of the most recent checkpoints to retain"
          />
          <NumberField
            {...bound}
            field="checkpoints.everyEpochs"
            label="Keep permanently every N epochs"
            description="0: none"
          />
          <NumberField
            {...bound}
            field="checkpoints.everyBatches"
            label="Save every N batches"
            description="So that a crash in a long epoch costs less; 0: only at the end of each epoch"
          />
          <SnapshotsField {...bound} />
        </SimpleGrid>
      </section>
      <section aria-labelledby="failures-title">
        <Title order={2} size="h4" id="failures-title">
          When something fails
        </Title>
        <Text size="sm" c="dimmed" mb="sm">
          The run resumes from its newest checkpoint. Handovers between hosts do not count as failures.
        </Text>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <NumberField
            {...bound}
            field="failures.restarts"
            label="Max consecutive failures"
            description="One more and the run ends as failed"
          />
          <NumberField
            {...bound}
            field="failures.backoffSeconds"
            label="Wait before the first restart"
            suffix=" s"
            description="Doubles with each consecutive failure"
          />
          <SelectField
            {...bound}
            field="failures.onOutOfMemory"
            label="Out of memory"
            options={[
              { value: 'smallerBatch', label: 'Halve the batch, accumulate gradients' },
              { value: 'fail', label: 'End the run as failed' },
            ]}
          />
          <SelectField
            {...bound}
            field="failures.onNan"
            label="Loss is NaN or infinite"
            options={[
              { value: 'stop', label: 'End the run as failed' },
              { value: 'rollBack', label: 'Resume from the previous checkpoint' },
            ]}
          />
        </SimpleGrid>
      </section>
      <Accordion variant="contained">
        <Accordion.Item value="deadlines">
          <Accordion.Control>Deadlines</Accordion.Control>
          <Accordion.Panel>
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              <NumberField
                {...bound}
                field="deadlines.setUpSeconds"
                label="Set-up"
                suffix=" s"
                description="From the trainer's start until it is ready"
              />
              <NumberField
                {...bound}
                field="deadlines.stopSeconds"
                label="Stop"
                suffix=" s"
                description="Until a stopped trainer is sent a signal to end"
              />
              <NumberField
                {...bound}
                field="deadlines.terminateSeconds"
                label="Kill"
                suffix=" s"
                description="From that signal until its processes are killed"
              />
              <NumberField
                {...bound}
                field="deadlines.finishSeconds"
                label="Finish"
                suffix=" s"
                description="From the last epoch until the trainer has ended"
              />
              <NumberField
                {...bound}
                field="deadlines.heartbeatSeconds"
                label="Host timeout"
                suffix=" s"
                description="Then the run resumes on another host"
              />
              <NumberField
                {...bound}
                field="deadlines.reattachSeconds"
                label="Without a worker"
                suffix=" s"
                description="Then the trainer saves and ends"
              />
              <NumberField
                {...bound}
                field="deadlines.hangFloorSeconds"
                label="Stall timeout"
                suffix=" s"
                description="Shortest time without progress that counts as a stall"
              />
            </SimpleGrid>
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </Stack>
  );
}

/** Seconds that most people will want; any other number is written as YAML, and shown here. */
const snapshotSeconds = [10, 60, 600];

function SnapshotsField(bound: Pick<StepProps, 'written' | 'problems'>) {
  const field = 'checkpoints.snapshots';
  const chosen = valueAt(bound.written.config, field.split('.'));
  const seconds = new Set([...snapshotSeconds, ...(typeof chosen === 'number' ? [chosen] : [])]);
  return (
    <SelectField
      {...bound}
      field={field}
      label="Snapshots between checkpoints"
      description="Saved on the host alone: what a run resumes from after a kill, out of memory or a hang"
      onChosen={(value) =>
        bound.written.set(field.split('.'), value === 'auto' ? undefined : value === 'off' ? value : Number(value))
      }
      options={[
        { value: 'auto', label: 'Automatic: about 1 % of the training time' },
        ...[...seconds].sort((a, b) => a - b).map((one) => ({ value: String(one), label: `Every ${one} s` })),
        { value: 'off', label: 'None' },
      ]}
    />
  );
}

interface SelectOrTextProps extends Pick<StepProps, 'written' | 'problems'> {
  metrics: string[];
  label: string;
  description: string;
  placeholder: string;
}

/** One of the metrics that the trainer names; without a trainer, any text. */
function SelectOrText({ metrics, ...bound }: SelectOrTextProps) {
  const field = 'checkpoints.best.metric';
  if (metrics.length === 0) return <TextField {...bound} field={field} />;
  const chosen = valueAt(bound.written.config, field.split('.'));
  const options = [...new Set([...metrics, ...(typeof chosen === 'string' ? [chosen] : [])])];
  return (
    <SelectField
      {...bound}
      field={field}
      onChosen={(metric) =>
        bound.written.change((config) => {
          if (metric === '') return withValue(config, ['checkpoints', 'best'], undefined);
          const mode = valueAt(config, ['checkpoints', 'best', 'mode']) ?? (/loss|error/i.test(metric) ? 'min' : 'max');
          return withValue(withValue(config, field.split('.'), metric), ['checkpoints', 'best', 'mode'], mode);
        })
      }
      options={[{ value: '', label: "the trainer's own choice" }, ...options.map((value) => ({ value, label: value }))]}
    />
  );
}
