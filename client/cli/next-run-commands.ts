/** `epochal continue`, `fork`, `extend`, `retry`: a new run with the configuration of another one. */
import type { DraftConfig } from '../../contracts/run-config.ts';
import type { Configure, RunView } from '../../contracts/run-messages.ts';
import { ConfigError } from '../errors.ts';
import { extended, fromCheckpoint, fromScratch, retried } from '../next-config.ts';
import { parseConfig } from '../parse-config.ts';
import type { Cli } from './cli.ts';
import { withAbsoluteData } from './data-path.ts';
import { patched, patchOf } from './set-option.ts';
import { newRunOption, type Root, runArgument, setOption, waitOption } from './shared-options.ts';
import { startRun } from './start-run.ts';

export const nextRunCommands = (root: Root, cli: Cli): Root =>
  root
    .command(
      'continue <run>',
      'Start a run that continues another one from a checkpoint, with its progress',
      (command) =>
        command
          .positional('run', runArgument)
          .option('from', {
            type: 'string',
            default: 'last',
            requiresArg: true,
            describe: 'best, last, or the name of a checkpoint, e.g. epoch-0012',
          })
          .option('set', setOption)
          .option('as', newRunOption)
          .option('wait', waitOption)
          .example('$0 continue my-run --from best', 'from its best checkpoint')
          .example('$0 continue my-run --set epochs=100', 'with more epochs')
          .epilogue(
            'Epoch numbers, optimizer and best checkpoint carry on from the checkpoint. If no epochs are left, as many again are trained. "fork" starts an independent training.',
          ),
      cli.action(({ run, from, ...how }) =>
        start(cli, run, how, (view) => fromCheckpoint(view, { checkpoint: from, keepProgress: true })),
      ),
    )
    .command(
      'fork <run>',
      'Start an independent training with the configuration of another run',
      (command) =>
        command
          .positional('run', runArgument)
          .option('from', {
            type: 'string',
            requiresArg: true,
            describe:
              'Start with the weights of best, last, or a checkpoint by its name; omitted: the run starts from scratch',
          })
          .option('set', setOption)
          .option('as', newRunOption)
          .option('wait', waitOption)
          .example('$0 fork my-run --set parameters.lr=0.01', 'from scratch, with another parameter')
          .example('$0 fork my-run --from best', 'with the weights of its best checkpoint')
          .epilogue(
            'Epochs are counted from 1, and the optimizer is new: with --from, only the weights are reused. "continue" keeps both.',
          ),
      cli.action(({ run, from, ...how }) =>
        start(cli, run, how, (view) =>
          from === undefined ? fromScratch(view) : fromCheckpoint(view, { checkpoint: from, keepProgress: false }),
        ),
      ),
    )
    .command(
      'extend <run>',
      'Train more epochs of a run that is over, in a run that continues it',
      (command) =>
        command
          .positional('run', runArgument)
          .option('epochs', {
            type: 'string',
            demandOption: true,
            requiresArg: true,
            describe: 'How many in all; or +N: N more than were planned',
          })
          .option('set', setOption)
          .option('as', newRunOption)
          .option('wait', waitOption)
          .example('$0 extend my-run --epochs +10', 'ten more than were planned')
          .example('$0 extend my-run --epochs 50', 'up to 50 in all')
          .epilogue(
            'From its last checkpoint, with its progress. A run that is not over keeps its number of epochs: the trainer has planned with it, for example its learning rates.',
          ),
      cli.action(({ run, epochs, ...how }) => {
        const wanted = epochsOf(epochs);
        return start(cli, run, how, (view) => extended(view, wanted));
      }),
    )
    .command(
      'retry <run>',
      'Start a run that did not complete again, in a new run',
      (command) =>
        command
          .positional('run', runArgument)
          .option('set', setOption)
          .option('as', newRunOption)
          .option('wait', waitOption)
          .example('$0 retry my-run --set parameters.batch_size=8', 'after it ran out of memory')
          .epilogue(
            'For a run that failed, was stopped, or was ended by force: from its last checkpoint with its progress, or as it started if it has none.',
          ),
      cli.action(({ run, ...how }) => start(cli, run, how, retried)),
    );

interface How {
  as: string | undefined;
  set: string[];
  wait: boolean;
  json: boolean;
}

async function start(
  cli: Cli,
  followed: string,
  { as, set, wait, json }: How,
  next: (view: RunView) => DraftConfig,
): Promise<number> {
  // A relative path is of this machine; what the other run has is absolute, or a name.
  const patch: Configure = await withAbsoluteData({ ...patchOf(set), ...(as === undefined ? {} : { run: as }) });
  // The other run is pinned to its store by more than the address.
  if ('store' in patch && !('storeIdentity' in patch)) patch.storeIdentity = null;
  const view = await (await cli.client()).view(followed);
  const config = patched(next(view), patch);
  return startRun(cli, parseConfig(config), { wait, json });
}

function epochsOf(text: string): { total: number } | { more: number } {
  const [, sign, digits] = /^(\+?)([1-9][0-9]{0,6})$/.exec(text) ?? [];
  if (digits === undefined)
    throw new ConfigError([], {
      message: `--epochs is ${JSON.stringify(text)}: must be a number of epochs, e.g. 50, or +10 for ten more than were planned`,
    });
  return sign ? { more: Number(digits) } : { total: Number(digits) };
}
