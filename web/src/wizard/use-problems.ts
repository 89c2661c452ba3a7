/** What is wrong with a configuration: at once by its schema, a moment later by the trainer itself on a worker. */
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { problemsOf } from '../../../contracts/config-problems.ts';
import type { DataReport } from '../../../contracts/data-report.ts';
import type { ConfigProblem } from '../../../contracts/failure.ts';
import { runConfigSchema } from '../../../contracts/run-config.ts';
import type { TrainerManifest } from '../../../contracts/trainer-manifest.ts';
import { CallError, call, messageOf } from '../api/call.ts';
import { zodOf } from './json-schema-validator.ts';
import type { ConfigObject } from './plain-json.ts';

export interface Problems {
  all: ConfigProblem[];
  /** Whether a worker has said what it thinks of it as it is now. */
  check:
    | { kind: 'none' | 'checking' }
    | { kind: 'fine'; outputFolder: string; notes: readonly string[] }
    | { kind: 'refused' }
    | { kind: 'away'; why: string };
  /** What the data set holds, where a worker has read it. */
  dataReport: DataReport | undefined;
  /** The problem of a field, or of what is inside it. */
  of: (field: string) => string | undefined;
}

export function useProblems(
  config: ConfigObject,
  manifest: TrainerManifest | undefined,
  showsMissing: boolean,
): Problems {
  const own = useMemo(() => {
    const result = runConfigSchema.safeParse(config);
    const problems = result.success ? [] : problemsOf(result.error, config);
    if (!manifest) return problems;
    const parameters = config.parameters ?? {};
    const checker = zodOf(manifest.parameters);
    const checked = checker.safeParse(parameters);
    if (checked.success) return problems;
    const inside = problemsOf(checked.error, parameters, checker);
    return [...problems, ...inside.map((one) => ({ ...one, field: joined('parameters', one.field) }))];
  }, [config, manifest]);

  const [settled] = useDebouncedValue(config, 700);
  const isReady = own.length === 0 && settled === config;
  const { data, error } = useQuery({
    queryKey: ['check', settled],
    queryFn: ({ signal }) => call('check', { body: { config: settled }, signal }),
    enabled: isReady,
    staleTime: 20_000,
  });
  const refused = error instanceof CallError && error.refusal?.kind === 'invalid' ? error.refusal.problems : [];
  const told = isReady ? (data && !data.ok ? data.problems : refused) : [];
  const all = [...own, ...told].filter(({ value }) => showsMissing || value !== 'missing');
  const check: Problems['check'] = !isReady
    ? { kind: own.length === 0 ? 'checking' : 'none' }
    : told.length > 0
      ? { kind: 'refused' }
      : error
        ? { kind: 'away', why: messageOf(error) }
        : data?.ok
          ? { kind: 'fine', outputFolder: data.outputFolder, notes: data.notes ?? [] }
          : { kind: 'checking' };
  return {
    all,
    check,
    dataReport: isReady ? data?.dataReport : undefined,
    of: (field) => {
      const found = all.find((one) => one.field === field) ?? all.find((one) => one.field.startsWith(`${field}.`));
      return (
        found && (found.field === field ? found.message : `${found.field.slice(field.length + 1)} ${found.message}`)
      );
    },
  };
}

const joined = (path: string, field: string) =>
  field === '' || field.startsWith('[') ? path + field : `${path}.${field}`;
