import { Alert, Button, Card, Group, Switch, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { LogPage } from '../../../contracts/http-answers.ts';
import { sizeText } from '../../../contracts/size-text.ts';
import { askedEvery } from '../api/asked-every.ts';
import { call, isAway, messageOf } from '../api/call.ts';
import { counted } from '../formatting.ts';

type Line = LogPage['lines'][number];

const pageLines = 1000;
/** A little more than most thousand lines have; what is too much is not shown twice. */
const pageBytes = 100_000;

export function LogPanel({ run, isOver }: { run: string; isOver: boolean }) {
  const [typed, setTyped] = useState('');
  const [search] = useDebouncedValue(typed.trim(), 300);
  return (
    <Card>
      <Group mb="sm" role="search" aria-label="Search the log">
        <TextInput
          aria-label="Search the log"
          placeholder="Search the log"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          flex={1}
          miw={180}
          maw={420}
        />
      </Group>
      {search ? (
        <FoundLines key={search} run={run} search={search} isOver={isOver} />
      ) : (
        <LogTail run={run} isOver={isOver} />
      )}
    </Card>
  );
}

function FoundLines({ run, search, isOver }: { run: string; search: string; isOver: boolean }) {
  const { data, error, isFetching } = useQuery({
    queryKey: ['log-search', run, search, isOver],
    queryFn: ({ signal }) => call('log', { params: { run }, query: { search, lines: 2000 }, signal }),
    refetchInterval: askedEvery(isOver ? false : 3_000),
  });
  return (
    <>
      <Text size="sm" c="dimmed" mb={6} aria-live="polite">
        {data
          ? `${counted(data.lines.length, 'line')} found${data.lines.length === 2000 ? ', the newest' : ''}`
          : isFetching
            ? 'Searching…'
            : ''}
      </Text>
      {error && <LogTrouble error={error} />}
      <Lines lines={data?.lines ?? []} search={search} isFollowed={false} />
    </>
  );
}

function LogTail({ run, isOver }: { run: string; isOver: boolean }) {
  const [isFollowed, setFollowed] = useState(true);
  const { data, error, fetchNextPage, fetchPreviousPage, hasPreviousPage, isFetchingPreviousPage, isLoading } =
    useInfiniteQuery({
      queryKey: ['log', run],
      queryFn: async ({ pageParam, signal }): Promise<LogPage> => {
        if (pageParam === null) return call('log', { params: { run }, query: { lines: pageLines }, signal });
        return call('log', { params: { run }, query: { offset: pageParam, lines: 2000 }, signal });
      },
      initialPageParam: null as number | null,
      getNextPageParam: (last) => last.next,
      getPreviousPageParam: (first) => {
        const begin = first.lines[0]?.offset ?? 0;
        return begin > 0 ? Math.max(0, begin - pageBytes) : undefined;
      },
      staleTime: Number.POSITIVE_INFINITY,
      refetchInterval: askedEvery(false),
    });
  useEffect(() => {
    if (isOver) return;
    const timer = setInterval(() => void fetchNextPage(), 1_500);
    return () => clearInterval(timer);
  }, [isOver, fetchNextPage]);

  const lines = withoutDoubles(data?.pages ?? []);
  const last = data?.pages.at(-1);
  return (
    <>
      <Group justify="space-between" mb="xs">
        <Group gap="sm">
          {hasPreviousPage && lines.length > 0 && (
            <Button
              size="xs"
              variant="default"
              loading={isFetchingPreviousPage}
              onClick={() => void fetchPreviousPage()}
            >
              Earlier lines
            </Button>
          )}
          {last && (
            <Text size="sm" c="dimmed" className="figures">
              {sizeText(last.size)}, read from {last.source === 'host' ? 'the host' : 'the store'}
            </Text>
          )}
        </Group>
        {!isOver && (
          <Switch label="Follow" checked={isFollowed} onChange={(event) => setFollowed(event.currentTarget.checked)} />
        )}
      </Group>
      {error && <LogTrouble error={error} />}
      {!isLoading && lines.length === 0 && !error && (
        <Text size="sm" c="dimmed" mb="xs">
          The trainer has not written anything yet.
        </Text>
      )}
      {lines.length > 0 && <Lines lines={lines} search="" isFollowed={isFollowed && !isOver} />}
    </>
  );
}

/** Pages before the first may reach into it. */
function withoutDoubles(pages: readonly LogPage[]): Line[] {
  const lines: Line[] = [];
  let next = -1;
  for (const page of pages) {
    for (const line of page.lines) {
      if (line.offset <= next) continue;
      lines.push(line);
      next = line.offset;
    }
  }
  return lines;
}

function LogTrouble({ error }: { error: Error }) {
  return (
    <Alert color={isAway(error) ? 'orange' : 'red'} mb="xs" role="alert">
      {messageOf(error)}
    </Alert>
  );
}

interface LinesProps {
  lines: Line[];
  search: string;
  isFollowed: boolean;
}

function Lines({ lines, search, isFollowed }: LinesProps) {
  const box = useRef<HTMLPreElement>(null);
  const end = lines.at(-1)?.offset;
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls when there are more lines
  useLayoutEffect(() => {
    if (isFollowed && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [isFollowed, end]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
    <pre ref={box} className="log" tabIndex={0} role="log" aria-live="off" aria-label="Log lines">
      {lines.map(({ offset, text }) => (
        <div key={offset}>{search ? marked(text, search) : text || ' '}</div>
      ))}
    </pre>
  );
}

function marked(text: string, search: string): ReactNode[] {
  const parts: ReactNode[] = [];
  const [lower, wanted] = [text.toLowerCase(), search.toLowerCase()];
  let at = 0;
  for (let found = lower.indexOf(wanted); found >= 0; found = lower.indexOf(wanted, at)) {
    parts.push(text.slice(at, found), <mark key={found}>{text.slice(found, found + wanted.length)}</mark>);
    at = found + wanted.length;
  }
  parts.push(text.slice(at));
  return parts;
}
