/**
 * Ctrl-C and SIGTERM, twice: the first asks for an orderly end, the second for one at once. A SIGHUP asks, and never
 * urges: it says that nobody is watching any longer (the terminal, or npm, is gone), which follows many a first signal.
 */

export interface Signals {
  /** Aborted by the first signal. */
  readonly asked: AbortSignal;
  /** Aborted by the second. */
  readonly urged: AbortSignal;
  close(): void;
}

/** One key press reaches a program of npm twice, from the terminal and from npm: what comes this close is one. */
const sameMs = 300;

const listened = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function listenForSignals(onAsked: () => void): Signals {
  const asked = new AbortController();
  const urged = new AbortController();
  let lastAt = Number.NEGATIVE_INFINITY;
  const listener = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (now - lastAt < sameMs) return;
    if (signal === 'SIGHUP' && asked.signal.aborted) return;
    lastAt = now;
    if (asked.signal.aborted) urged.abort(new Error(signal));
    else {
      asked.abort(new Error(signal));
      onAsked();
    }
  };
  for (const signal of listened) process.on(signal, listener);
  return {
    asked: asked.signal,
    urged: urged.signal,
    close: () => {
      for (const signal of listened) process.off(signal, listener);
    },
  };
}

/** Resolves with the signal. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
