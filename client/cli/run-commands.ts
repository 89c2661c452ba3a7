/** `epochal status`, `watch`, `checkpoints`, `stop`, `pause`, `resume`: one run that is there. */

import { stopModeSchema } from '../../contracts/receipt.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { sizeText } from '../../contracts/size-text.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { followRun } from './follow-run.ts';
import { metricsText, positionText } from './format.ts';
import { viewText } from './run-text.ts';
import { type Root, runArgument, waitOption } from './shared-options.ts';
import { factsText, tableText } from './table.ts';
import { waitingLines } from './waiting-text.ts';

export const runCommands = (root: Root, cli: Cli): Root =>
  root
    .command(
      'status <run>',
      'Show a run',
      (command) =>
        command.positional('run', runArgument).example('$0 status my-run', 'state, metrics, checkpoints, events'),
      cli.action(async ({ run, json }) => {
        const client = await cli.client();
        const unserved = await client.unserved();
        if (unserved !== null) {
          // Nobody answers for a run then; whether there is one, Temporal itself knows.
          await client.now(run);
          cli.note(unserved);
        }
        const view = await client.view(run);
        if (json) cli.printJson(view);
        else cli.print(viewText(view, view.state === 'stopped' ? [] : await waitingLines(client, run)));
        return exitCodes.ok;
      }),
    )
    .command(
      'watch <run>',
      'Follow a run until it is over; Ctrl-C stops watching, not the run',
      (command) => command.positional('run', runArgument).example('$0 watch my-run --json', 'one JSON object per line'),
      cli.action(({ run, json }) => followRun(cli, run, json)),
    )
    .command(
      'checkpoints <run>',
      'List the checkpoints that a run retains',
      (command) =>
        command.positional('run', runArgument).example('$0 checkpoints my-run', 'epoch, size, metrics, where it is'),
      cli.action(async ({ run, json }) => {
        const { checkpoints, outputFolder } = await (await cli.client()).view(run);
        if (json) cli.printJson(checkpoints);
        else if (checkpoints.length === 0) cli.note(`run ${run} has no checkpoints yet`);
        else {
          const rows = checkpoints.map(({ name, reasons, files, metrics, stored, host, ...position }) => [
            name,
            positionText(position),
            reasons.join(', '),
            sizeText(files.reduce((sum, { size }) => sum + size, 0)),
            stored ? `${outputFolder}/checkpoints/${name}` : `on ${host}`,
            metricsText(metrics),
          ]);
          cli.print(tableText(['checkpoint', 'at', 'retained as', 'size', 'where', 'metrics'], rows));
        }
        return exitCodes.ok;
      }),
    )
    .command(
      'stop <run>',
      'Stop a run: it checkpoints, publishes and cleans up',
      (command) =>
        command
          .positional('run', runArgument)
          .option('mode', {
            choices: stopModeSchema.options,
            default: 'batch' as const,
            describe: 'After this batch, after this epoch, or at once',
          })
          .option('wait', waitOption)
          .example('$0 stop my-run --mode epoch', 'let it finish its epoch'),
      cli.action(async ({ run, mode, wait, json }) => {
        const view = await (await cli.client()).stop(run, mode);
        if (wait) return followRun(cli, run, json);
        tellState(cli, view, json);
        return exitCodes.ok;
      }),
    )
    .command(
      'pause <run>',
      'Checkpoint a run and free its slot until it is resumed',
      (command) =>
        command.positional('run', runArgument).example('$0 pause my-run', 'give the GPU to another run for a while'),
      cli.action(async ({ run, json }) => {
        tellState(cli, await (await cli.client()).pause(run), json);
        return exitCodes.ok;
      }),
    )
    .command(
      'resume <run>',
      'Resume a paused run',
      (command) => command.positional('run', runArgument).example('$0 resume my-run', 'exactly where it paused'),
      cli.action(async ({ run, json }) => {
        tellState(cli, await (await cli.client()).resume(run), json);
        return exitCodes.ok;
      }),
    );

function tellState(cli: Cli, view: RunView, json: boolean): void {
  if (json) cli.printJson(view);
  else
    cli.print(
      factsText([
        ['run', view.run],
        ['state', view.detail],
        ['trained', positionText(view.position)],
      ]),
    );
}
