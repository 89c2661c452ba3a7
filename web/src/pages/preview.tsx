/** A trainer's pages with sample values, as `python trainer.py preview` serves them: no run, and no server of Epochal. */
// As in main.tsx, so that a bundler runs it before what both of them need.
import '../schemas-without-eval.ts';
import { Alert, Container, Loader, MantineProvider, Stack, Title } from '@mantine/core';
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { call, messageOf } from '../api/call.ts';
import { cssVariables, theme } from '../theme.ts';
import { PagesPanel } from './pages-panel.tsx';

const queries = new QueryClient({ defaultOptions: { queries: { retry: false, refetchOnWindowFocus: false } } });
/** As `preview.py` calls it. */
const run = 'preview';

export function Preview() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <Container component="main" size="xl" py="md">
          <Stack>
            <Title order={1} size="h3">
              Preview of a trainer's pages
            </Title>
            <Alert color="gray">These are sample values: nothing was trained.</Alert>
            <Previewed />
          </Stack>
        </Container>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Previewed() {
  const { data, error } = useQuery({
    queryKey: ['pages', run],
    queryFn: ({ signal }) => call('pages', { params: { run }, query: {}, signal }),
  });
  if (error) return <Alert color="red">{messageOf(error)}</Alert>;
  return data ? <PagesPanel run={run} pages={data} /> : <Loader role="status" aria-label="Loading" />;
}
