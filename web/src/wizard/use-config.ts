/** The configuration that is being written: as fields and as text, always in step. */
import { useCallback, useState } from 'react';
import { type ReadText, readYaml, updatedYaml, yamlOf } from './config-yaml.ts';
import { type ConfigObject, type Json, withValue } from './plain-json.ts';

export interface WrittenConfig {
  /** What the text says; while it cannot be read, what it said before. */
  config: ConfigObject;
  text: string;
  textProblem: ReadText['problem'];
  set: (path: readonly string[], value: Json | undefined) => void;
  /** Several fields at once. */
  change: (edit: (config: ConfigObject) => ConfigObject) => void;
  setText: (text: string) => void;
}

interface State {
  config: ConfigObject;
  text: string;
  textProblem: ReadText['problem'];
}

export function useConfig(first: ConfigObject, firstText?: string): WrittenConfig {
  const [state, setState] = useState<State>(() => {
    const text = firstText ?? yamlOf(first);
    const { config, problem } = readYaml(text);
    return { config: config ?? first, text, textProblem: problem };
  });
  const change = useCallback(
    (edit: (config: ConfigObject) => ConfigObject) =>
      setState((before) => {
        const config = edit(before.config);
        return { config, text: updatedYaml(before.textProblem ? '' : before.text, config), textProblem: null };
      }),
    [],
  );
  const set = useCallback(
    (path: readonly string[], value: Json | undefined) => change((config) => withValue(config, path, value)),
    [change],
  );
  const setText = useCallback(
    (text: string) =>
      setState((before) => {
        const { config, problem } = readYaml(text);
        return { config: config ?? before.config, text, textProblem: problem };
      }),
    [],
  );
  return { ...state, set, change, setText };
}
