/** What a run cannot go on without, and that does not answer now: it is asked again. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Waiting {
  signal: AbortSignal;
  onProgress: (doing: string) => void;
}

/**
 * Tries again for as long as it is away: an outage is no failure of the training, to be counted. Throws the signal's reason, and whatever `work`
 * throws that is not `isAway`.
 */
export async function whenItAnswers<T>(
  { signal, onProgress }: Waiting,
  work: () => Promise<T>,
  whom: string,
  isAway: (error: unknown) => boolean,
): Promise<T> {
  for (let seconds = 1; ; seconds = Math.min(seconds * 2, 30)) {
    try {
      return await work();
    } catch (error) {
      if (!isAway(error)) throw error;
      onProgress(`wait for ${whom}: ${error instanceof Error ? error.message : String(error)}`);
      await delay(seconds * 1000, undefined, { signal });
    }
  }
}
