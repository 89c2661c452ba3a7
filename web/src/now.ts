import { useEffect, useState } from 'react';
import { useIsStale } from './api/connection.ts';

/** The present in milliseconds, told again every `everyMs` for as long as `ticking`. It stands still while nobody answers. */
export function useNow(everyMs = 1_000, ticking = true): number {
  const [now, setNow] = useState(Date.now);
  const isStale = useIsStale();
  useEffect(() => {
    if (!ticking || isStale) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, ticking, isStale]);
  return now;
}
