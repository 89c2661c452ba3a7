/** How a host ends a trainer, whatever for: it is asked, then told by SIGTERM, then killed with all that it started. */
import { deadline } from './deadline.ts';

/** Whoever is to end: a live session, or what a worker before this one left. */
export interface EndingTrainer {
  /** Politely, in its own way: a stop at its batch boundary, where it can be told of one. */
  ask(): void;
  terminate(): void;
  /** All of it. */
  kill(): void;
  /** True once it has ended; false when `limit` was aborted before. */
  ends(limit: AbortSignal): Promise<boolean>;
}

export interface EndLimits {
  /** From the question to SIGTERM. */
  stopSeconds: number;
  /** From SIGTERM to SIGKILL; 0: SIGKILL at once. */
  terminateSeconds: number;
}

/** Returns once it has ended. Throws the signal's reason when aborted: then it goes no step further. */
export async function endTrainer(
  trainer: EndingTrainer,
  { stopSeconds, terminateSeconds }: EndLimits,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const endsWithin = async (seconds: number) => {
    const ended = await trainer.ends(deadline(seconds * 1000, signal));
    signal.throwIfAborted();
    return ended;
  };
  trainer.ask();
  if (await endsWithin(stopSeconds)) return;
  if (terminateSeconds > 0) {
    trainer.terminate();
    if (await endsWithin(terminateSeconds)) return;
  }
  trainer.kill();
  await trainer.ends(signal);
  signal.throwIfAborted();
}
