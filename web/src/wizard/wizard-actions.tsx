import { Alert, Button, Group, Menu, Paper } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconChevronDown, IconCopy, IconDeviceFloppy, IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { problemSentence } from '../../../contracts/failure.ts';
import { CallError, call, messageOf } from '../api/call.ts';
import { useIsStale } from '../api/connection.ts';
import { type ConfigObject, isMapping } from './plain-json.ts';

interface WizardActionsProps {
  config: ConfigObject;
  text: string;
  draft: string | undefined;
  /** Shows all problems; whether there is none. */
  isReady: () => boolean;
  /** Goes to the first problem. */
  onProblems: () => void;
  /** What was written is a run now, or a draft. */
  onSaved: () => void;
  /** What is known of the configuration. */
  children: ReactNode;
}

export function WizardActions({ config, text, draft, isReady, onProblems, onSaved, children }: WizardActionsProps) {
  const isStale = useIsStale();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const act = useMutation({
    mutationFn: async (asDraft: boolean): Promise<string> => {
      if (!draft) return (await call('start', { body: { config, draft: asDraft } })).run;
      const { view } = await call('run', { params: { run: draft } });
      const { run: _, ...before } = view?.config ?? {};
      await call('configure', {
        params: { run: draft },
        body: changes(JSON.parse(JSON.stringify(before)) as ConfigObject, config),
      });
      if (!asDraft) await call('train', { params: { run: draft } });
      return draft;
    },
    onSuccess: (run) => {
      onSaved();
      void queries.invalidateQueries({ queryKey: ['runs'] });
      void queries.invalidateQueries({ queryKey: ['run', run] });
      return navigate({ to: '/runs/$run', params: { run } });
    },
  });
  const copy = async (what: string, take: () => Promise<string> | string) => {
    try {
      await navigator.clipboard.writeText(await take());
      notifications.show({ color: 'teal', message: `${what} copied` });
    } catch (error) {
      notifications.show({ color: 'red', title: 'Could not copy', message: messageOf(error) });
    }
  };
  const refused = act.error instanceof CallError ? (act.error.refusal?.problems ?? []) : [];
  return (
    <Paper withBorder p="sm" radius="md" className="actions-bar">
      {act.error && (
        <Alert
          color="red"
          mb="sm"
          title={refused.length > 0 ? 'Could not start the run' : messageOf(act.error)}
          role="alert"
        >
          {refused.map((problem) => (
            <div key={problem.field}>{problemSentence(problem)}</div>
          ))}
        </Alert>
      )}
      {/* In the bar, which would hide it at the foot of a small page. */}
      <div className="actions-problems">{children}</div>
      <Group justify="space-between">
        <Menu shadow="md" position="top-start">
          <Menu.Target>
            <Button
              variant="subtle"
              color="gray"
              leftSection={<IconCopy size={17} aria-hidden />}
              rightSection={<IconChevronDown size={15} aria-hidden />}
            >
              Copy as
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item
              onClick={() =>
                void copy('Command', async () => (await call('writeConfig', { body: { config } })).command)
              }
            >
              <code>epochal train</code> command
            </Menu.Item>
            <Menu.Item onClick={() => void copy('YAML', () => text)}>YAML</Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <Group gap="xs">
          <Button
            variant="default"
            leftSection={<IconDeviceFloppy size={17} aria-hidden />}
            disabled={isStale}
            loading={act.isPending && act.variables}
            onClick={() => act.mutate(true)}
          >
            Save draft
          </Button>
          <Button
            leftSection={<IconPlayerPlay size={17} aria-hidden />}
            disabled={isStale}
            loading={act.isPending && !act.variables}
            onClick={() => (isReady() ? act.mutate(false) : onProblems())}
          >
            Start training
          </Button>
        </Group>
      </Group>
    </Paper>
  );
}

/** What turns one configuration into the other by `configure`, where null removes a field. */
export function changes(before: ConfigObject, after: ConfigObject): ConfigObject {
  const result: ConfigObject = {};
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) result[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (JSON.stringify(old) === JSON.stringify(value)) continue;
    result[key] = isMapping(old) && isMapping(value) ? changes(old, value) : value;
  }
  return result;
}
