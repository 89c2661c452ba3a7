/** A run as it changes: the server's event stream, opened again whenever it breaks. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useReducer } from 'react';
import {
  type LiveMessage,
  type LiveProgress,
  liveMessageSchema,
  type RunDetails,
} from '../../../contracts/http-answers.ts';
import { addressOf } from '../../../contracts/http-api.ts';
import { runQuery } from './queries.ts';

export interface LiveRun {
  /** Null until the first message. */
  details: RunDetails | null;
  progress: LiveProgress[];
  /** Why nothing new comes, while nothing comes. */
  trouble: string | null;
  over: boolean;
}

type Change = LiveMessage | { kind: 'reset' } | { kind: 'details'; details: RunDetails };

const nothing: LiveRun = { details: null, progress: [], trouble: null, over: false };

function changed(live: LiveRun, change: Change): LiveRun {
  switch (change.kind) {
    case 'reset':
      return nothing;
    case 'details':
      return { ...live, details: change.details, progress: change.details.progress, trouble: change.details.trouble };
    case 'progress':
      return { ...live, progress: change.progress, trouble: null };
    case 'trouble':
      return { ...live, trouble: change.trouble };
    case 'receipt':
      return { ...live, progress: [], over: true };
  }
}

const reopenAfterMs = 2_000;

export function useLiveRun(run: string): LiveRun {
  const [live, change] = useReducer(changed, nothing);
  const queries = useQueryClient();

  useEffect(() => {
    change({ kind: 'reset' });
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;

    const receive = (event: MessageEvent<string>) => {
      const message = liveMessageSchema.safeParse(JSON.parse(event.data));
      if (!message.success) return;
      change(message.data);
      if (message.data.kind === 'details') queries.setQueryData(runQuery(run).queryKey, message.data.details);
      if (message.data.kind === 'receipt') {
        over = true;
        close();
        // The last word, with the receipt in the view.
        void queries
          .fetchQuery({ ...runQuery(run), staleTime: 0 })
          .then((details) => change({ kind: 'details', details }))
          .catch(() => undefined);
      }
    };
    const close = () => {
      clearTimeout(timer);
      source?.close();
      source = null;
    };
    const open = () => {
      close();
      if (over || document.hidden) return;
      source = new EventSource(addressOf('live', { run }));
      for (const kind of ['details', 'progress', 'receipt', 'trouble'] as const) source.addEventListener(kind, receive);
      source.onerror = () => {
        change({ kind: 'trouble', trouble: 'The connection to the Epochal server was lost. Reconnecting…' });
        close();
        timer = setTimeout(open, reopenAfterMs);
      };
    };
    // Browsers allow six connections to a server: tabs that nobody sees give theirs back.
    document.addEventListener('visibilitychange', open);
    open();
    return () => {
      document.removeEventListener('visibilitychange', open);
      close();
    };
  }, [run, queries]);

  return live;
}
