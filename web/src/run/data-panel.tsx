import { Alert, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { dataReportFile, readDataReport } from '../../../contracts/data-report.ts';
import { addressOf } from '../../../contracts/http-api.ts';
import { askedEvery } from '../api/asked-every.ts';
import { CallError, call, isAway, messageOf } from '../api/call.ts';
import { dataSetsQuery } from '../api/queries.ts';
import { DataReportCard } from '../data/data-report-card.tsx';
import { PageLoading } from '../shell/shell.tsx';

interface DataPanelProps {
  run: string;
  data: string;
  pool: string | undefined;
  isOver: boolean;
}

/** What the run trains on, by the report that its trainer has left in its folder. */
export function DataPanel({ run, data, pool, isOver }: DataPanelProps) {
  const report = useQuery({
    queryKey: ['data-report', run, isOver],
    queryFn: async ({ signal }) => {
      // Asked first: a trainer that tells none is not an error.
      const { entries } = await call('files', { params: { run }, query: {}, signal });
      if (!entries.some(({ name }) => name === dataReportFile)) return null;
      const response = await fetch(addressOf('file', { run }, { path: dataReportFile }), { signal });
      if (!response.ok) throw new CallError('The data report could not be read.', null);
      return readDataReport(await response.text());
    },
    // A trainer adds to it: what changed when it was converted, what the framework has loaded.
    refetchInterval: askedEvery(({ state }: { state: { data?: unknown; error: Error | null } }) =>
      isOver ? false : state.data ? 10_000 : 3_000,
    ),
  });
  const offered = useQuery(dataSetsQuery(pool));
  const place = offered.data?.dataSets.find((one) => one.data === data) ?? null;
  if (report.error && !report.data)
    return (
      <Alert color={isAway(report.error) ? 'orange' : 'red'} role="alert">
        {messageOf(report.error)}
      </Alert>
    );
  if (report.isPending) return <PageLoading />;
  if (!report.data)
    return (
      <Text size="sm">
        {isOver
          ? 'No data report: the trainer sent none, or training never started.'
          : 'No data report yet: the trainer sends one before its first epoch, if it can.'}
      </Text>
    );
  return <DataReportCard report={report.data} place={place} />;
}
