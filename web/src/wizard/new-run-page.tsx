import { Alert, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { call, messageOf } from '../api/call.ts';
import { settingsQuery } from '../api/queries.ts';
import { PageLoading } from '../shell/shell.tsx';
import { type ConfigObject, plainJson } from './plain-json.ts';
import { Wizard } from './wizard.tsx';

const newRunRoute = getRouteApi('/new');

type Search = ReturnType<typeof newRunRoute.useSearch>;

/** What the form begins with: nothing, a copy of a run, a checkpoint of one, or a draft. */
interface Beginning {
  config: ConfigObject;
  text?: string;
}

async function beginning({ from, checkpoint, keepProgress, draft }: Search, signal: AbortSignal): Promise<Beginning> {
  if (draft) {
    const { view } = await call('run', { params: { run: draft }, signal });
    return { config: withoutName(plainJson(view?.config ?? {})) };
  }
  if (from) {
    const query = { checkpoint, keepProgress: keepProgress === false ? 'false' : undefined };
    const { config, yaml } = await call('clone', { params: { run: from }, query, signal });
    return { config: plainJson(config), text: yaml };
  }
  return { config: {} };
}

/** A draft has its name already. */
function withoutName({ run: _, ...config }: ConfigObject): ConfigObject {
  return config;
}

export function NewRunPage() {
  const search = newRunRoute.useSearch();
  const settings = useQuery(settingsQuery);
  const key = JSON.stringify(search);
  const { data, error } = useQuery({
    queryKey: ['beginning', key],
    queryFn: ({ signal }) => beginning(search, signal),
    // What is being written must not change under the writer's hands.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  if (error)
    return (
      <Stack>
        <Alert color="red" title="It could not be read" role="alert">
          {messageOf(error)}
        </Alert>
      </Stack>
    );
  if (!data) return <PageLoading />;
  return (
    <Wizard
      key={key}
      memoryKey={key}
      first={data.config}
      firstText={data.text}
      draft={search.draft}
      from={search.from}
      defaultPool={settings.data?.defaultPool}
    />
  );
}
