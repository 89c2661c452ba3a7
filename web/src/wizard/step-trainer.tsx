import { Alert, Badge, Code, Group, Radio, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import type { TrainerList } from '../../../contracts/host-messages.ts';
import type { TrainerManifest } from '../../../contracts/trainer-manifest.ts';
import { messageOf } from '../api/call.ts';
import { PageLoading } from '../shell/shell.tsx';
import { NumberField, type StepProps } from './config-fields.tsx';
import { isMapping, type Json, valueAt, withValue } from './plain-json.ts';

interface StepTrainerProps extends StepProps {
  manifest: TrainerManifest | undefined;
  trainers: TrainerList | undefined;
  error: Error | null;
}

export function StepTrainer({ written, problems, trainers, error }: StepTrainerProps) {
  const chosen = valueAt(written.config, ['trainer']);
  const problem = problems.of('trainer');
  const source = valueAt(written.config, ['continueFrom']);
  const choose = (name: string) => {
    const found = trainers?.flatMap((one) => (one.ok ? [one.manifest] : [])).find((manifest) => manifest.name === name);
    written.change((config) => {
      const withTrainer = withValue(config, ['trainer'], name);
      const withEpochs = withTrainer.epochs === undefined ? withValue(withTrainer, ['epochs'], 10) : withTrainer;
      return found && chosen !== name ? withValue(withEpochs, ['parameters'], defaultParameters(found)) : withEpochs;
    });
  };
  return (
    <Stack>
      <Title order={2} size="h4">
        Trainer
      </Title>
      {error && (
        <Alert color="orange" role="alert">
          Trainers could not be listed: {messageOf(error)}
        </Alert>
      )}
      {!trainers && !error && <PageLoading />}
      {isMapping(source) && (
        <Alert
          color="indigo"
          title={source.keepProgress === false ? 'Starts with the weights of another run' : 'Continues another run'}
        >
          Checkpoint <Code>{String(source.checkpoint ?? 'last')}</Code> of{' '}
          <Code>{String(source.run ?? source.outputFolder)}</Code>
        </Alert>
      )}
      <Radio.Group
        label="Trainer"
        required
        value={typeof chosen === 'string' ? chosen : ''}
        onChange={choose}
        error={problem ?? null}
      >
        <SimpleGrid cols={{ base: 1, sm: 2 }} mt="xs" spacing="xs">
          {trainers?.map((one) => {
            const name = one.ok ? one.manifest.name : one.name;
            return (
              <Radio.Card key={name} value={name} p="sm" radius="md" disabled={!one.ok} data-trainer={name}>
                <Group wrap="nowrap" align="flex-start">
                  <Radio.Indicator mt={2} />
                  <div>
                    <Group gap="xs">
                      <Text size="sm" fw={600}>
                        {one.ok ? one.manifest.title : name}
                      </Text>
                      {one.ok && one.manifest.datasets.length === 0 && (
                        <Badge color="gray" tt="none">
                          built-in data
                        </Badge>
                      )}
                    </Group>
                    <Text size="xs" c="dimmed" lineClamp={4}>
                      {one.ok ? one.manifest.description : one.problem}
                    </Text>
                  </div>
                </Group>
              </Radio.Card>
            );
          })}
        </SimpleGrid>
      </Radio.Group>
      {trainers?.length === 0 && (
        <Text size="sm" c="dimmed">
          The workers of this pool have no trainers. They look in the folders listed in EPOCHAL_TRAINERS.
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <NumberField written={written} problems={problems} field="epochs" label="Epochs" required />
        <NumberField
          written={written}
          problems={problems}
          field="seed"
          label="Seed"
          description="The same seed gives the same training"
        />
      </SimpleGrid>
    </Stack>
  );
}

/** What the trainer's schema gives as defaults, written out, so that they can be seen and changed in the text too. */
export function defaultParameters({ parameters }: TrainerManifest): Json {
  const properties = isMapping(parameters.properties) ? parameters.properties : {};
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, property]): [string, Json][] =>
      isMapping(property) && property.default !== undefined && property.default !== null
        ? [[name, property.default]]
        : [],
    ),
  );
}
