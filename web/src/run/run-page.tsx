import { Alert, Stack, Tabs } from '@mantine/core';
import { IconHourglass, IconMapOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useMemo } from 'react';
import type { RunDetails } from '../../../contracts/http-answers.ts';
import type { Standing } from '../../../contracts/run-summary.ts';
import type { RunTab } from '../addresses.ts';
import { askedEvery } from '../api/asked-every.ts';
import { CallError, call, messageOf } from '../api/call.ts';
import { type LiveRun, useLiveRun } from '../api/live-run.ts';
import { runQuery } from '../api/queries.ts';
import { chunk } from '../chunk.ts';
import { useRunPages } from '../pages/run-pages.ts';
import { waitingOf } from '../runs/progress-text.ts';
import { EmptyState } from '../shell/empty-state.tsx';
import { PageLoading } from '../shell/shell.tsx';
import { useLiveTrace } from './live-trace.ts';
import { Overview } from './overview.tsx';
import { RunHeader } from './run-header.tsx';

const runRoute = getRouteApi('/runs/$run');

const CurvesPanel = lazy(() =>
  chunk(() => import('../curves/run-curves.tsx')).then((module) => ({ default: module.RunCurves })),
);
const PagesPanel = lazy(() =>
  chunk(() => import('../pages/pages-panel.tsx')).then((module) => ({ default: module.PagesPanel })),
);
const CheckpointsPanel = lazy(() =>
  chunk(() => import('./checkpoints-panel.tsx')).then((module) => ({ default: module.CheckpointsPanel })),
);
const LogPanel = lazy(() => chunk(() => import('./log-panel.tsx')).then((module) => ({ default: module.LogPanel })));
const FilesPanel = lazy(() =>
  chunk(() => import('./files-panel.tsx')).then((module) => ({ default: module.FilesPanel })),
);
const ReceiptPanel = lazy(() =>
  chunk(() => import('./receipt-panel.tsx')).then((module) => ({ default: module.ReceiptPanel })),
);
const DataPanel = lazy(() => chunk(() => import('./data-panel.tsx')).then((module) => ({ default: module.DataPanel })));
const ConfigurationPanel = lazy(() =>
  chunk(() => import('./configuration-panel.tsx')).then((module) => ({ default: module.ConfigurationPanel })),
);

const tabNames: Readonly<Record<RunTab, string>> = {
  overview: 'Overview',
  pages: 'Pages',
  curves: 'Curves',
  checkpoints: 'Checkpoints',
  log: 'Log',
  files: 'Files',
  data: 'Data',
  receipt: 'Receipt',
  configuration: 'Configuration',
};

export function RunPage() {
  const { run } = runRoute.useParams();
  const asked = useQuery({
    ...runQuery(run),
    // Nothing tells of a salvage that begins later; what else changes comes live.
    refetchInterval: askedEvery(({ state: { data } }) =>
      data && data.summary.closedAt !== null && data.summary.outcome === null ? 3_000 : false,
    ),
  });
  const live = useLiveRun(run);
  // What comes live is put there, too.
  const details = asked.data ?? live.details ?? null;
  if (!details) {
    if (asked.error instanceof CallError && asked.error.refusal?.kind === 'notFound')
      return (
        <EmptyState
          icon={<IconMapOff size={32} />}
          title={`There is no run ${run}`}
          text="Temporal knows no run with this id: there never was one, or it is older than Temporal's retention. If it trained, its receipt is in its output folder in the store."
        />
      );
    if (asked.error)
      return (
        <Alert color="red" title="The run could not be read" role="alert">
          {messageOf(asked.error)}
        </Alert>
      );
    return <PageLoading />;
  }
  return <LoadedRun key={run} details={details} live={live} />;
}

function EndedByForce({ standing }: { standing: Standing }) {
  return (
    <Alert color="orange" title="Ended by force, outside Epochal" data-testid="ended-by-force">
      {standing === 'salvaging'
        ? 'What is left of it is being published. The receipt will say what that is.'
        : 'What is left of it is not known yet. Its host publishes it as soon as it notices, or when it is back.'}
    </Alert>
  );
}

function NothingYet() {
  return (
    <EmptyState
      icon={<IconHourglass size={32} />}
      title="Nothing to show yet"
      text="It appears once a trainer has started."
    />
  );
}

function LoadedRun({ details, live }: { details: RunDetails; live: LiveRun }) {
  const { tab = 'overview' } = runRoute.useSearch();
  const navigate = runRoute.useNavigate();
  const { view, summary } = details;
  const waiting = useQuery({
    queryKey: ['progress', [summary.run]],
    queryFn: ({ signal }) => call('progress', { query: { runs: summary.run }, signal }),
    // Its place in the queue changes with what other runs do.
    enabled: summary.standing === 'waiting',
    refetchInterval: 2_000,
  });
  const place = summary.standing === 'waiting' ? waitingOf(waiting.data?.[summary.run] ?? []) : null;
  const told = live.details ? live.progress : details.progress;
  const progress = useMemo(() => (place ? [...told, place] : told), [told, place]);
  const trace = useLiveTrace(progress);
  // Before its first session there is no folder of it anywhere.
  const hasRun =
    view === null ||
    view.session !== null ||
    view.position.epoch > 0 ||
    view.checkpoints.length > 0 ||
    Boolean(view.receipt?.files.length);
  const pages = useRunPages(details, hasRun, tab === 'pages');
  const data = view?.config.data;
  const tabs = (Object.keys(tabNames) as RunTab[]).filter(
    (name) =>
      (name !== 'pages' || pages) && (name !== 'receipt' || view?.receipt) && (name !== 'data' || data !== undefined),
  );
  return (
    <Stack>
      <RunHeader details={details} />
      <div aria-live="polite">
        {summary.closedAt !== null && summary.outcome === null && <EndedByForce standing={summary.standing} />}
        {live.trouble && summary.closedAt === null && (
          <Alert color="orange" title="Live updates paused">
            {live.trouble}
          </Alert>
        )}
      </div>
      <Tabs
        value={tabs.includes(tab) ? tab : 'overview'}
        onChange={(value) =>
          void navigate({ search: value === 'overview' ? {} : { tab: value as RunTab }, replace: true })
        }
        keepMounted={false}
      >
        <Tabs.List mb="md" style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
          {tabs.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {tabNames[name]}
              {name === 'checkpoints' && view && view.checkpoints.length > 0 ? ` (${view.checkpoints.length})` : ''}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Suspense fallback={<PageLoading />}>
          <Tabs.Panel value="overview">
            <Overview details={details} progress={progress} trace={trace} />
          </Tabs.Panel>
          {pages && (
            <Tabs.Panel value="pages">
              <PagesPanel run={summary.run} pages={pages} />
            </Tabs.Panel>
          )}
          <Tabs.Panel value="curves">
            <CurvesPanel details={details} trace={trace} />
          </Tabs.Panel>
          <Tabs.Panel value="checkpoints">
            <CheckpointsPanel details={details} />
          </Tabs.Panel>
          <Tabs.Panel value="log">
            {hasRun ? <LogPanel run={summary.run} isOver={summary.closedAt !== null} /> : <NothingYet />}
          </Tabs.Panel>
          <Tabs.Panel value="files">
            {hasRun ? <FilesPanel run={summary.run} isOver={summary.closedAt !== null} /> : <NothingYet />}
          </Tabs.Panel>
          {data !== undefined && (
            <Tabs.Panel value="data">
              {hasRun ? (
                <DataPanel run={summary.run} data={data} pool={view?.config.pool} isOver={summary.closedAt !== null} />
              ) : (
                <NothingYet />
              )}
            </Tabs.Panel>
          )}
          {view?.receipt && (
            <Tabs.Panel value="receipt">
              <ReceiptPanel receipt={view.receipt} />
            </Tabs.Panel>
          )}
          <Tabs.Panel value="configuration">
            <ConfigurationPanel run={summary.run} config={view?.config ?? {}} />
          </Tabs.Panel>
        </Suspense>
      </Tabs>
    </Stack>
  );
}
