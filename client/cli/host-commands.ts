/** `epochal trainers`, `hosts`, `folders ls`, `folders publish`, `folders rm`: what the workers have. */

import type { KeptFolder } from '../../contracts/host-messages.ts';
import { sizeText } from '../../contracts/size-text.ts';
import { ConfigError } from '../errors.ts';
import type { KeptAnswer } from '../pool-hosts.ts';
import type { TrainingClient } from '../training-client.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { plain, timeText } from './format.ts';
import { folderArgument, poolOption, type Root } from './shared-options.ts';
import { tableText } from './table.ts';

export const hostCommands = (root: Root, cli: Cli): Root =>
  root
    .command(
      'trainers',
      'List the trainers that a pool has',
      (command) =>
        command.option('pool', poolOption).example('$0 trainers --json', 'with the JSON Schema of their parameters'),
      cli.action(async ({ pool, json }) => {
        const trainers = await (await cli.client()).trainers(pool);
        if (json) cli.printJson(trainers);
        else {
          const rows = trainers.map((trainer) =>
            trainer.ok
              ? [
                  trainer.manifest.name,
                  trainer.manifest.title,
                  trainer.manifest.metrics.map(({ name }) => name).join(', '),
                ]
              : [trainer.name, `cannot be used: ${trainer.problem}`, ''],
          );
          cli.print(tableText(['trainer', 'what it is', 'metrics'], rows));
        }
        return exitCodes.ok;
      }),
    )
    .command(
      'hosts',
      'List the hosts that serve a pool',
      (command) => command.option('pool', poolOption).example('$0 hosts', 'slots, devices, free disk'),
      cli.action(async ({ pool, json }) => {
        const hosts = await (await cli.client()).hosts(pool);
        if (json) cli.printJson(hosts);
        else if (hosts.length === 0) cli.note(`no host serves pool ${pool}`);
        else {
          const rows = hosts.map((host) =>
            host.ok
              ? [
                  host.status.host,
                  `${host.status.slots.taken.length} of ${host.status.slots.total}`,
                  host.status.slots.taken.join(', '),
                  host.status.devices.map(({ name }) => name).join(', ') || 'CPU',
                  sizeText(host.status.freeDiskBytes),
                  host.status.software?.version ?? '',
                ]
              : [host.host, '', host.problem, '', '', ''],
          );
          cli.print(tableText(['host', 'slots taken', 'runs', 'devices', 'free disk', 'version'], rows));
        }
        return exitCodes.ok;
      }),
    )
    .command('folders', 'Run folders that are still on the hosts', (folders) =>
      folders
        .command(
          'ls',
          'List them',
          (command) =>
            command
              .option('pool', poolOption)
              .option('host', { type: 'string', requiresArg: true, describe: 'On this host only' })
              .example('$0 folders ls', 'of all hosts of the pool'),
          cli.action(async ({ pool, host, json }) => {
            const answers = await (await cli.client()).keptFolders({ pool, host });
            if (json) cli.printJson(answers);
            else tellFolders(cli, answers);
            return exitCodes.ok;
          }),
        )
        .command(
          'publish <run>',
          'Publish a kept run folder now; it is removed once every copy is verified',
          (command) =>
            command
              .positional('run', folderArgument)
              .option('pool', poolOption)
              .option('host', whichHost)
              .example('$0 folders publish my-run', 'once the store is back'),
          cli.action(async ({ run, pool, host, json }) => {
            const client = await cli.client();
            const folder = await findFolder(client, run, { pool, host });
            await client.publishKept(folder.host, run);
            const receipt = await client.publishedReceipt(run);
            if (json) cli.printJson(receipt);
            else {
              const { outputFolder, publishedBytes, localFolder } = receipt;
              cli.print(`published ${sizeText(publishedBytes)} in ${plain(outputFolder ?? '')}`);
              if (localFolder.kind === 'kept') cli.note(`${plain(localFolder.path)} stays: ${localFolder.why}`);
            }
            return receipt.localFolder.kind === 'kept' ? exitCodes.error : exitCodes.ok;
          }),
        )
        .command(
          'rm <run>',
          'Remove a run folder permanently',
          (command) =>
            command
              .positional('run', folderArgument)
              .option('pool', poolOption)
              .option('host', whichHost)
              .option('force', { type: 'boolean', default: false, describe: 'Even if not all of it is in the store' })
              .example('$0 folders rm my-run', 'once you have looked into it'),
          cli.action(async ({ run, pool, host, force, json }) => {
            const client = await cli.client();
            const removed = await removeFolder(client, run, { pool, host, force });
            if (json) cli.printJson({ removed });
            else cli.print(`removed ${plain(removed.path)} on ${removed.host}, ${sizeText(removed.bytes)}`);
            return exitCodes.ok;
          }),
        )
        .demandCommand(1, 'folders needs a command: ls, publish or rm'),
    );

const whichHost = {
  type: 'string',
  requiresArg: true,
  describe: 'On this host; left out, on the one that has it',
} as const;

interface Place {
  pool: string;
  host: string | undefined;
}

/** The one folder of the run; throws ConfigError when there is none, or more than one. */
async function findFolder(client: TrainingClient, run: string, { pool, host }: Place): Promise<KeptFolder> {
  const answers = await client.keptFolders({ pool, host });
  const folders = answers.flatMap((answer) => (answer.ok ? answer.folders : [])).filter((folder) => folder.run === run);
  const [folder] = folders;
  if (!folder) {
    const silent = answers.flatMap((answer) => (answer.ok ? [] : [`; ${answer.problem}`]));
    const where = host === undefined ? `no host of pool ${pool} keeps` : `${host} does not keep`;
    throw new ConfigError([], { message: `run is ${JSON.stringify(run)}: ${where} a folder of it${silent.join('')}` });
  }
  if (folders.length > 1) {
    throw new ConfigError([], {
      message: `run is ${JSON.stringify(run)}: ${folders.map((one) => one.host).join(' and ')} keep a folder of it; choose with --host`,
    });
  }
  return folder;
}

async function removeFolder(
  client: TrainingClient,
  run: string,
  { force, ...place }: Place & { force: boolean },
): Promise<KeptFolder> {
  const folder = await findFolder(client, run, place);
  if (folder.state !== 'live' && !folder.stored && !force) {
    throw new ConfigError([], {
      message: `${folder.path} on ${folder.host} is not completely in the store (${folder.why}); --force removes it anyway`,
    });
  }
  await client.removeKept(folder.host, run);
  return folder;
}

function tellFolders(cli: Cli, answers: readonly KeptAnswer[]): void {
  const folders = answers.flatMap((answer) => (answer.ok ? answer.folders : []));
  for (const answer of answers) if (!answer.ok) cli.note(answer.problem);
  if (folders.length === 0) {
    const asked = answers.flatMap((answer) => (answer.ok ? [answer.host] : []));
    cli.note(
      asked.length > 0 ? `no run folders on ${asked.join(', ')}` : 'no host answered: what they keep is unknown',
    );
    return;
  }
  const rows = folders.map(({ run, host, path, bytes, modifiedAt, state, why, stored }) => [
    run,
    host,
    state,
    stored ? 'yes' : 'no',
    sizeText(bytes),
    timeText(modifiedAt),
    why,
    path,
  ]);
  cli.print(tableText(['run', 'host', 'state', 'in the store', 'size', 'changed', 'why', 'path'], rows));
}
