import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { askedEvery } from './api/asked-every.ts';
import { CallError } from './api/call.ts';
import { accessQuery } from './api/queries.ts';
import { router } from './routes.tsx';
import { cssVariables, theme } from './theme.ts';

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      // A login session that has ended, or was ended elsewhere: the page asks for the token.
      const isSignedOut = error instanceof CallError && error.refusal?.kind === 'unauthorized';
      if (isSignedOut) void queries.invalidateQueries({ queryKey: accessQuery.queryKey });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: false,
      // A browser that is offline is to say so at once, not to wait: what fails is asked for again below.
      networkMode: 'always',
      refetchOnReconnect: true,
      // What is away comes back: every query that failed for that asks again by itself.
      refetchInterval: askedEvery(false),
    },
    mutations: { networkMode: 'always' },
  },
});

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" containerWidth={420} />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
