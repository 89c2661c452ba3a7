/** Starting a run from the command line, and what is said of it. */
import type { DraftConfig } from '../../contracts/run-config.ts';
import type { Cli } from './cli.ts';
import { colors } from './colors.ts';
import { exitCodes } from './exit-codes.ts';
import { followRun } from './follow-run.ts';
import { plain } from './format.ts';
import { factsText } from './table.ts';
import { waitingOfNew } from './waiting-text.ts';

interface How {
  draft?: boolean;
  wait: boolean;
  json: boolean;
}

/** Answers the exit code; with `wait`, that of the run's outcome. */
export async function startRun(cli: Cli, config: DraftConfig, { draft = false, wait, json }: How): Promise<number> {
  const client = await cli.client();
  const started = await client.start(config, {
    ...{ draft, onProgress: cli.tellProgress, traceparent: cli.env.TRACEPARENT },
  });
  const { run, outputFolder } = started;
  if (wait) {
    cli.note(`run ${run} → ${outputFolder}`);
    return followRun(cli, run, json);
  }
  if (json) cli.printJson(started);
  else {
    const { continueFrom, epochs } = started.config;
    const how = continueFrom?.keepProgress === false ? 'with the weights of' : 'continues';
    cli.print(
      factsText([
        ['run', run],
        [
          'from',
          continueFrom &&
            plain(`${how} ${continueFrom.checkpoint} in ${continueFrom.outputFolder ?? continueFrom.run}`),
        ],
        ['epochs', continueFrom && epochs !== undefined ? String(epochs) : null],
        ['output folder', outputFolder],
        ...(draft ? [] : await waitingOfNew(client, run, started.config.pool ?? 'gpu')).map(
          (text): [string, string] => ['waiting', plain(text)],
        ),
        ['next', colors.bold(draft ? `epochal configure ${run} …, then epochal begin ${run}` : `epochal watch ${run}`)],
      ]),
    );
  }
  return exitCodes.ok;
}
