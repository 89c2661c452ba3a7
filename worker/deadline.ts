/**
 * Deadlines that fire. Node's own `AbortSignal.any([signal, AbortSignal.timeout(ms)])` may not: nobody but the join
 * knows the timeout, the join holds it weakly, and a timeout that the garbage collector takes takes its timer with it.
 */

/** The longest that a timer can wait; a longer one would fire at once. */
const longest = 2 ** 31 - 1;

/** Aborts after `ms` milliseconds with a TimeoutError, or when `signal` does, with its reason. Keeps no process alive. */
export function deadline(ms: number, signal?: AbortSignal, what = 'not done'): AbortSignal {
  const controller = new AbortController();
  if (signal?.aborted) {
    controller.abort(signal.reason);
    return controller.signal;
  }
  const timer = setTimeout(
    () => controller.abort(new DOMException(`${what} within ${ms / 1000} s`, 'TimeoutError')),
    Math.min(ms, longest),
  ).unref();
  const follow = () => {
    clearTimeout(timer);
    controller.abort(signal?.reason);
  };
  signal?.addEventListener('abort', follow, { once: true, signal: controller.signal });
  return controller.signal;
}
