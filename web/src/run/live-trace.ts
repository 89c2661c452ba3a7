/** What was seen of a training since the page was opened: finer than epochs, and gone with the page. */
import { useRef } from 'react';
import type { LiveProgress } from '../../../contracts/http-answers.ts';
import { trainingOf } from '../runs/progress-text.ts';

export interface TracePoint {
  /** Milliseconds since 1970. */
  at: number;
  phase: 'train' | 'validate';
  metrics: Readonly<Record<string, number>>;
  rate: number | null;
}

const mostPoints = 20_000;

/** The same array all the time, with points added at its end. */
export function useLiveTrace(progress: readonly LiveProgress[]): readonly TracePoint[] {
  const trace = useRef<TracePoint[]>([]);
  const training = trainingOf(progress);
  if (training && (training.phase === 'train' || training.phase === 'validate')) {
    const at = Date.parse(training.at);
    const last = trace.current.at(-1);
    if (!last || at > last.at) {
      if (trace.current.length >= mostPoints) trace.current.splice(0, mostPoints / 4);
      const { phase, metrics, rate } = training;
      trace.current.push({ at, phase, metrics, rate });
    }
  }
  return trace.current;
}
