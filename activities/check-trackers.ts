/** Whether the trackers of a run take what they will be told: asked before it starts. */
import { shownValue } from '../contracts/config-problems.ts';
import type { ConfigProblem } from '../contracts/failure.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { Host } from '../worker/host.ts';

const longestWhy = 500;

export interface TrackerCheck {
  /** What no later try would change. */
  problems: ConfigProblem[];
  /** What keeps nobody from training: a tracker that is unavailable is told later. */
  notes: string[];
}

export async function checkTrackers(
  { id, observers: { trackers }, log }: Pick<Host, 'id' | 'observers' | 'log'>,
  config: RunConfig,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (doing: string) => void },
): Promise<TrackerCheck> {
  const found: TrackerCheck = { problems: [], notes: [] };
  const refuse = (message: string) =>
    found.problems.push({ field: 'trackers', value: shownValue(config.trackers), message });
  for (const chosen of trackers.chosen(config)) {
    const { name } = chosen;
    const unable = trackers.problem(name);
    if (unable !== null) {
      refuse(`${id} cannot tell ${name}: ${unable}`);
      continue;
    }
    onProgress(`ask ${name}`);
    const answer = await trackers.ask(chosen, config.project, signal);
    if (answer.kind === 'refuses') refuse(answer.why);
    if (answer.kind !== 'unavailable') continue;
    log.warn({ tracker: name, why: answer.why }, 'a tracker is unavailable');
    const why = answer.why.split('\n')[0]?.slice(0, longestWhy) ?? '';
    found.notes.push(`${name} is unavailable, and is told of the run once it is back (${why})`);
  }
  return found;
}
