import { Alert } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Health } from '../../../contracts/http-answers.ts';
import { type CallError, isAway } from '../api/call.ts';
import { useIsCutOff, useIsOnline, useIsStale, useNetworkChanges } from '../api/connection.ts';
import { healthQuery } from '../api/queries.ts';
import { formatClock } from '../formatting.ts';

/** Says what is away, what that means, and goes by itself when it is back. */
export function HealthBanner() {
  const { data, error } = useQuery(healthQuery);
  const isOnline = useIsOnline();
  const isCutOff = useIsCutOff();
  const isStale = useIsStale();
  useNetworkChanges();
  const away = isCutOff ? offline : error ? fromError(error, isOnline) : data ? fromHealth(data) : null;
  // Old from then on: nobody has told anything newer.
  const [heardAt, setHeardAt] = useState<string | null>(null);
  if (data && !error && data.temporal.reachable && data.at !== heardAt) setHeardAt(data.at);
  return (
    <div aria-live="polite">
      {away && (
        <Alert color="orange" icon={<IconPlugConnectedX />} title={away.title} mb="md" data-testid="health-banner">
          {away.text}
          {isStale && heardAt && ` Data as of ${formatClock(heardAt)}.`}
        </Alert>
      )}
    </div>
  );
}

const offline = {
  title: 'This browser is offline',
  text: 'Training continues without it. This page reconnects by itself.',
};

function fromError(error: Error, isOnline: boolean): { title: string; text: string } {
  const refusal = (error as CallError).refusal;
  if (isAway(error) && !refusal && !isOnline) return offline;
  if (isAway(error) && !refusal)
    return {
      title: 'The Epochal server does not answer',
      text: 'Training continues without it. This page reconnects by itself.',
    };
  return { title: 'Something is wrong with the Epochal server', text: error.message };
}

function fromHealth({ temporal, unserved, workers }: Health): { title: string; text: string } | null {
  if (!temporal.reachable)
    return {
      title: `Temporal does not answer at ${temporal.address}`,
      text: `${temporal.problem ?? ''} Nothing is lost: trainers finish what they were asked to do, and runs resume when it is back.`.trim(),
    };
  if (unserved !== null)
    return { title: 'Workflows are not served', text: `${unserved.charAt(0).toUpperCase()}${unserved.slice(1)}.` };
  if (workers.length === 0)
    return {
      title: 'No workers online',
      text: 'Runs wait, and resume from their newest checkpoint when a worker is back. Start one with: npx epochal worker',
    };
  return null;
}
