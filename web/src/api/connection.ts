/** Whether what is shown is of now: while nobody answers, it is what was last heard. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { isAway } from './call.ts';
import { healthQuery } from './queries.ts';

/** A browser that is offline may still reach a server on its own machine: it says why nobody answers, not whether. */
export const useIsOnline = (): boolean => useSyncExternalStore(onChange, () => navigator.onLine);

let offlineSince = 0;
window.addEventListener('offline', () => {
  offlineSince = Date.now();
});

function onChange(tell: () => void): () => void {
  window.addEventListener('online', tell);
  window.addEventListener('offline', tell);
  return () => {
    window.removeEventListener('online', tell);
    window.removeEventListener('offline', tell);
  };
}

/** Offline, and nobody has answered since: the question that is under way would take a while to fail. */
export function useIsCutOff(): boolean {
  const { dataUpdatedAt } = useQuery(healthQuery);
  return !useIsOnline() && dataUpdatedAt < offlineSince;
}

/** The server, or Temporal behind it, does not answer: numbers stand still, and nothing can be asked for. */
export function useIsStale(): boolean {
  const { data, error } = useQuery(healthQuery);
  const isCutOff = useIsCutOff();
  return isCutOff || (error ? isAway(error) : data !== undefined && !data.temporal.reachable);
}

/** Asks at once whether the server answers when the network comes or goes. */
export function useNetworkChanges(): void {
  const isOnline = useIsOnline();
  const queries = useQueryClient();
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked whenever it changes
  useEffect(() => {
    void queries.refetchQueries({ queryKey: healthQuery.queryKey });
  }, [isOnline, queries]);
}
