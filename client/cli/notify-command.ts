/** `epochal notify test`: whether notifications arrive, from this machine. What sends them is loaded when it is called. */
import { ConfigError } from '../errors.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import type { Root } from './shared-options.ts';
import { tableText } from './table.ts';

export const notifyCommand = (root: Root, cli: Cli): Root =>
  root.command('notify', 'Notifications: whether they arrive', (notify) =>
    notify
      .command(
        'test [targets..]',
        'Send a test to all targets of EPOCHAL_NOTIFY, or to these',
        (command) =>
          command
            .positional('targets', { type: 'string', array: true, default: [], describe: 'Names of targets' })
            .example('EPOCHAL_NOTIFY=/etc/epochal/notify.yaml $0 notify test', 'all of them')
            .epilogue(
              'Exit code 1 where any was not taken. Whether people see it, they have to say: docs/observability.md.',
            ),
        cli.action(async ({ targets, json }) => test(cli, targets, json)),
      )
      .demandCommand(1, 'notify needs a command: test'),
  );

async function test(cli: Cli, targets: readonly string[], json: boolean): Promise<number> {
  const { testNotifications } = await import('../../launch/notify.ts');
  return cli.interruptible('', async (signal) => {
    const tested = await testNotifications(cli.env, targets, signal).catch((error: unknown) => {
      throw new ConfigError([], { message: error instanceof Error ? error.message : String(error) });
    });
    if (json) cli.printJson(tested);
    else
      cli.print(
        tableText(
          ['target', ''],
          tested.map(({ target, problem }) => [target, problem ?? 'taken']),
        ),
      );
    return tested.some(({ problem }) => problem !== null) ? exitCodes.error : exitCodes.ok;
  });
}
