/** Watching a run from the command line, until its end or Ctrl-C. */
import type { Cli } from './cli.ts';
import { exitCodeOfError, exitCodeOfOutcome, exitCodes } from './exit-codes.ts';
import { watchDisplay } from './watch-display.ts';

/** Answers the exit code for the run's outcome. */
export async function followRun(cli: Cli, run: string, json: boolean): Promise<number> {
  const client = await cli.client();
  const goodbye = `stopped watching; run ${run} continues. "epochal watch ${run}" watches it again, "epochal stop ${run}" stops it.`;
  return cli.interruptible(goodbye, async (signal) => {
    const unserved = await client.unserved();
    if (unserved !== null) {
      // Nobody answers for a run then; whether there is one, Temporal itself knows.
      await client.now(run);
      cli.note(unserved);
    }
    const display = watchDisplay(run, { json, out: cli.stdout });
    try {
      for await (const item of client.watch(run, { signal })) {
        display.show(item);
        if (item.kind === 'end')
          return item.receipt ? exitCodeOfOutcome(item.receipt.outcome) : exitCodeOfError(item.problem);
      }
      return exitCodes.interrupted;
    } finally {
      display.close();
    }
  });
}
