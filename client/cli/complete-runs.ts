/** Shell completion of run ids, asked of the server. A shell that waits is worse than one that completes nothing. */
import type { Cli } from './cli.ts';

/** Commands whose first argument is a run, and the states of runs that it makes sense for; none: all. */
const statesOf: Readonly<Record<string, readonly string[]>> = {
  status: [],
  watch: [],
  checkpoints: [],
  logs: [],
  cp: [],
  compare: [],
  rm: ['stopped'],
  continue: [],
  fork: [],
  extend: ['stopped'],
  retry: ['stopped'],
  reproduce: ['stopped'],
  configure: ['configuring'],
  begin: ['configuring'],
  stop: ['configuring', 'training', 'stopping'],
  pause: ['training'],
  resume: ['training'],
  'folders rm': ['stopped'],
};

const most = 100;

/** Run ids that begin with `current`; none for other commands, and none when the server does not answer. */
export async function completeRuns(cli: Cli, command: string | undefined, current: string): Promise<string[]> {
  const states = command === undefined || !Object.hasOwn(statesOf, command) ? undefined : statesOf[command];
  if (states === undefined) return [];
  try {
    const runs: string[] = [];
    for await (const { run, state } of (await cli.client()).list({ limit: most })) {
      if (run.startsWith(current) && (states.length === 0 || (state !== null && states.includes(state))))
        runs.push(run);
    }
    return runs;
  } catch {
    return [];
  }
}
