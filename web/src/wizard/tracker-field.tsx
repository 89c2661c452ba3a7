import { Select, SimpleGrid, TextInput } from '@mantine/core';
import { experimentOf, trackerChoices, trackersFor } from './chosen-tracker.ts';
import type { StepProps } from './config-fields.tsx';
import { valueAt } from './plain-json.ts';

/** Which tracker is told of the run; MLflow with its experiment. What only the YAML can say stays as it is there. */
export function TrackerField({ written, problems }: Pick<StepProps, 'written' | 'problems'>) {
  const { choice, experiment } = experimentOf(valueAt(written.config, ['trackers']));
  const problem = problems.all.find(({ field }) => /^trackers(\[|$)/.test(field));
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }}>
      <Select
        label="Experiment tracker"
        name="trackers"
        data={trackerChoices}
        value={choice}
        allowDeselect={false}
        onChange={(chosen) => written.set(['trackers'], trackersFor(chosen, experiment))}
        error={problem?.message ?? null}
        description="Is told of parameters, metrics and the outcome"
      />
      {choice === 'mlflow' && (
        <TextInput
          label="Experiment"
          name="trackers-experiment"
          placeholder="the worker's, or the project"
          description="In MLflow; created where there is none"
          value={experiment}
          onChange={(event) => written.set(['trackers'], trackersFor('mlflow', event.currentTarget.value))}
        />
      )}
    </SimpleGrid>
  );
}
