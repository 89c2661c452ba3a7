import { Alert, Box, Button, Card, Grid, Group, Stack, Stepper, Text, Title } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconCode, IconCodeOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { problemSentence } from '../../../contracts/failure.ts';
import { trainersQuery } from '../api/queries.ts';
import { chunk } from '../chunk.ts';
import { PageLoading } from '../shell/shell.tsx';
import { CheckLine } from './check-line.tsx';
import { placeOf, yamlOf } from './config-yaml.ts';
import { type ConfigObject, valueAt } from './plain-json.ts';
import { StepData } from './step-data.tsx';
import { StepSafety } from './step-safety.tsx';
import { StepTrainer } from './step-trainer.tsx';
import { StepWhere } from './step-where.tsx';
import { stepOf, steps } from './steps.ts';
import { useConfig } from './use-config.ts';
import { useProblems } from './use-problems.ts';
import { WizardActions } from './wizard-actions.tsx';
import { useWritten } from './written-memory.ts';

const StepParameters = lazy(() =>
  chunk(() => import('./step-parameters.tsx')).then((module) => ({ default: module.StepParameters })),
);
const YamlEditor = lazy(() =>
  chunk(() => import('./yaml-editor.tsx')).then((module) => ({ default: module.YamlEditor })),
);

interface WizardProps {
  /** Under which what is written here survives a reload, and is there on the way back. */
  memoryKey: string;
  first: ConfigObject;
  firstText: string | undefined;
  /** The draft that is edited, where it is one. */
  draft: string | undefined;
  from: string | undefined;
  defaultPool: string | undefined;
}

export function Wizard({ memoryKey, first, firstText, draft, from, defaultPool }: WizardProps) {
  const memory = useWritten(memoryKey);
  const [begun, setBegun] = useState(memory.before);
  const written = useConfig(first, begun?.text ?? firstText);
  const { config, text, textProblem } = written;
  const [step, setStep] = useState(begun?.step ?? 0);
  const [hasAsked, setAsked] = useState(false);
  const isNarrow = useMediaQuery('(max-width: 62em)') ?? false;
  const [yamlShown, setYamlShown] = useState<boolean | null>(null);
  const showsYaml = yamlShown ?? !isNarrow;

  const poolGiven = valueAt(config, ['pool']);
  const pool = typeof poolGiven === 'string' && /^[A-Za-z0-9][\w.-]*$/.test(poolGiven) ? poolGiven : defaultPool;
  const trainers = useQuery(trainersQuery(pool));
  const trainerName = valueAt(config, ['trainer']);
  const manifest = trainers.data
    ?.flatMap((one) => (one.ok ? [one.manifest] : []))
    .find(({ name }) => name === trainerName);
  const problems = useProblems(config, manifest, hasAsked);
  const countsByStep = steps.map((_, index) => problems.all.filter((problem) => stepOf(problem) === index).length);
  const marks = useMemo(
    () =>
      textProblem
        ? [textProblem]
        : problems.all.map((problem) => ({ ...placeOf(text, problem.field), message: problemSentence(problem) })),
    [textProblem, problems.all, text],
  );
  const current = steps[step]?.name ?? 'data';
  // Untouched, it is made anew whenever the page is opened.
  const isTouched = begun !== null || text !== (firstText ?? yamlOf(first)) || step > 0;
  useEffect(() => {
    if (isTouched) memory.remember({ text, step });
  }, [isTouched, memory, text, step]);
  const startOver = () => {
    memory.forget();
    setBegun(null);
    written.setText(firstText ?? yamlOf(first));
    setStep(0);
  };
  const shared = { written, problems, pool, manifest };

  /** Shows every problem, and goes to the first; answers whether there was none. */
  const isReady = (): boolean => {
    setAsked(true);
    return problems.all.length === 0 && textProblem === null;
  };

  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">
          {draft ? `Draft ${draft}` : from ? `New run like ${from}` : 'New run'}
        </Title>
        <Group gap="xs">
          {begun && (
            <Button
              variant="subtle"
              size="xs"
              onClick={startOver}
              title="Restored from an earlier visit; not started yet"
            >
              Start over
            </Button>
          )}
          <Button
            variant="default"
            size="xs"
            aria-pressed={showsYaml}
            leftSection={showsYaml ? <IconCodeOff size={16} aria-hidden /> : <IconCode size={16} aria-hidden />}
            onClick={() => setYamlShown(!showsYaml)}
          >
            {showsYaml ? 'Hide YAML' : 'Show YAML'}
          </Button>
        </Group>
      </Group>

      <Stepper active={step} onStepClick={setStep} size="sm" iconSize={32} wrap={false} className="wizard-steps">
        {steps.map(({ name, label }, index) => {
          const count = countsByStep[index] ?? 0;
          return (
            <Stepper.Step
              key={name}
              label={label}
              {...(count > 0
                ? {
                    color: 'red',
                    description: count === 1 ? '1 problem' : `${count} problems`,
                    icon: '!',
                    completedIcon: '!',
                  }
                : {})}
            />
          );
        })}
      </Stepper>

      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: showsYaml ? 7 : 12 }}>
          {textProblem && (
            <Alert color="red" title={`Invalid YAML: line ${textProblem.line}`} mb="md" role="alert">
              {textProblem.message}. The form shows what it said before; a change here would replace the text.
            </Alert>
          )}
          <Card padding="lg">
            {/* Two truths at once help nobody: the form waits until the text can be read. */}
            <fieldset disabled={textProblem !== null} className="bare" aria-label={steps[step]?.label}>
              {current === 'data' && <StepData {...shared} />}
              {current === 'trainer' && <StepTrainer {...shared} trainers={trainers.data} error={trainers.error} />}
              {current === 'parameters' && (
                <Suspense fallback={<PageLoading />}>
                  <StepParameters {...shared} />
                </Suspense>
              )}
              {current === 'safety' && <StepSafety {...shared} />}
              {current === 'where' && <StepWhere {...shared} isDraft={draft !== undefined} />}
            </fieldset>
            <Group justify="space-between" mt="xl">
              <Button variant="default" disabled={step === 0} onClick={() => setStep(step - 1)}>
                Back
              </Button>
              {step < steps.length - 1 && (
                <Button variant="light" onClick={() => setStep(step + 1)}>
                  Next: {steps[step + 1]?.label}
                </Button>
              )}
            </Group>
          </Card>
        </Grid.Col>
        {showsYaml && (
          <Grid.Col span={{ base: 12, md: 5 }}>
            <Box pos="sticky" top={72}>
              <Suspense fallback={<PageLoading />}>
                <YamlEditor
                  label="Configuration as YAML"
                  value={text}
                  onChange={written.setText}
                  problems={marks}
                  minHeight="320px"
                />
              </Suspense>
              <Text size="xs" c="dimmed" mt={4}>
                The same configuration: a change on one side changes the other.
              </Text>
            </Box>
          </Grid.Col>
        )}
      </Grid>

      <WizardActions
        config={config}
        text={text}
        draft={draft}
        isReady={isReady}
        onProblems={() => {
          const firstBad = countsByStep.findIndex((count) => count > 0);
          if (firstBad >= 0) setStep(firstBad);
        }}
        onSaved={memory.forget}
      >
        <CheckLine problems={problems} onGo={(index) => setStep(index)} />
      </WizardActions>
    </Stack>
  );
}
