import { useEffect, useState } from 'react';

/** The present in milliseconds, told again every `everyMs` for as long as `ticking`. */
export function useNow(everyMs = 1_000, ticking = true): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, ticking]);
  return now;
}
