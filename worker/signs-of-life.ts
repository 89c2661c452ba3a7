/** Tells what is being done, and again while it takes long. */

export interface SignsOfLife {
  /** What is done from now on. */
  tell(doing: string): void;
  end(): void;
}

/** Says what it is told at once, and then, for as long as nothing else comes, how long that has taken. */
export function signsOfLife(say: (line: string) => void, everyMs = 10_000): SignsOfLife {
  let last = '';
  let since = performance.now();
  const timer = setInterval(() => {
    if (last !== '') say(`${last} (${Math.round((performance.now() - since) / 1000)} s so far)`);
  }, everyMs);
  timer.unref();
  return {
    tell: (doing) => {
      if (doing !== last) since = performance.now();
      last = doing;
      timer.refresh();
      say(doing);
    },
    end: () => clearInterval(timer),
  };
}
