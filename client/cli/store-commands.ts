/** `epochal store ls|verify|copy`: an artifact store from this machine, with its own rights there. What reads stores is loaded when it is called. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sizeText } from '../../contracts/size-text.ts';
import type { Cli } from './cli.ts';
import { colors } from './colors.ts';
import { exitCodes } from './exit-codes.ts';
import { plain, timeText } from './format.ts';
import type { Root } from './shared-options.ts';
import { addStoreGc } from './store-gc-command.ts';
import { fileCount, opened, openedToWrite, runsOf, storeArgument, whichRuns } from './store-options.ts';
import { tableText } from './table.ts';
import { TransferProgress } from './transfer-progress.ts';

export const storeCommands = (root: Root, cli: Cli): Root =>
  root.command('store', 'Artifact stores: what is in them, whether it is whole, copies', (store) =>
    addStoreGc(
      store
        .command(
          'ls <store> [runs..]',
          'List the runs of a store',
          (command) =>
            command
              .positional('store', storeArgument)
              .positional('runs', whichRuns)
              .example('$0 store ls s3://results/vision', 'all of them')
              .example('$0 store ls /mnt/results my-project', 'those of a project'),
          cli.action(async ({ store: address, runs, json }) => list(cli, address, runs, json)),
        )
        .command(
          'verify <store> [runs..]',
          'Compare all that receipts name with what the store has',
          (command) =>
            command
              .positional('store', storeArgument)
              .positional('runs', whichRuns)
              .option('read', {
                type: 'boolean',
                default: false,
                describe: 'Read every byte, also where a bucket tells what it has checked',
              })
              .example('$0 store verify s3://results/vision --read', 'as long as a download takes')
              .epilogue('Exit code 1 where anything is missing or damaged. Runs without a receipt are told, and pass.'),
          cli.action(async ({ store: address, runs, read, json }) => verify(cli, address, runs, { read, json })),
        )
        .command(
          'copy <from> <to> [runs..]',
          'Copy runs that are over into another store, verified',
          (command) =>
            command
              .positional('from', storeArgument)
              .positional('to', { ...storeArgument, describe: 'The store that gets them; made where there is none' })
              .positional('runs', whichRuns)
              .example('$0 store copy /mnt/results s3://results/vision', 'all of them')
              .example('$0 store copy s3://results/vision /mnt/results my-project/my-run', 'one run')
              .epilogue(
                'Each file is verified on its way and in its new place; what is there already is not copied again, and the receipt goes last. Files pass through the temporary folder of this machine (TMPDIR), which needs room for the largest.',
              ),
          cli.action(async ({ from, to, runs, json }) => copy(cli, from, to, runs, json)),
        ),
      cli,
    ).demandCommand(1, 'store needs a command: ls, verify, copy or gc'),
  );

async function list(cli: Cli, address: string, chosen: readonly string[], json: boolean): Promise<number> {
  const store = await opened('store', address);
  const { landingOf } = await import('../../stores/stored-runs.ts');
  const rows: string[][] = [];
  const found: unknown[] = [];
  for await (const run of runsOf(store, chosen)) {
    const landing = await landingOf(store, run);
    const receipt = landing.kind === 'landed' ? landing.receipt : null;
    const bytes = [...run.files.values()].reduce((sum, size) => sum + size, 0);
    const { outcome = null, endedAt = null } = receipt ?? {};
    const checkpoints = receipt?.checkpoints.length ?? null;
    if (json) found.push({ run: run.id, outcome, endedAt, checkpoints, files: run.files.size, bytes });
    else
      rows.push([
        run.id,
        outcome ?? (landing.kind === 'open' ? 'no receipt' : 'unreadable receipt'),
        endedAt === null ? '' : timeText(endedAt),
        checkpoints === null ? '' : String(checkpoints),
        String(run.files.size),
        sizeText(bytes),
      ]);
  }
  if (json) cli.printJson(found);
  else if (rows.length === 0) cli.note(`${address} has no runs`);
  else cli.print(tableText(['run', 'outcome', 'ended', 'checkpoints', 'files', 'size'], rows));
  return exitCodes.ok;
}

async function verify(
  cli: Cli,
  address: string,
  chosen: readonly string[],
  { read, json }: { read: boolean; json: boolean },
): Promise<number> {
  const store = await opened('store', address);
  const { landingOf } = await import('../../stores/stored-runs.ts');
  const { verifyRun } = await import('../../stores/verified-run.ts');
  return cli.interruptible('stopped verifying', async (signal) => {
    const progress = new TransferProgress(cli.tellProgress);
    const { onFile, onBytes, onWait } = progress;
    const verified: { run: string; receipt: string; problems: string[] }[] = [];
    for await (const run of runsOf(store, chosen)) {
      signal.throwIfAborted();
      progress.onRun(run.id);
      const landing = await landingOf(store, run);
      const isLanded = landing.kind === 'landed';
      const problems = isLanded
        ? await verifyRun(store, run, landing, { read, signal, onFile, onBytes, onWait })
        : landing.kind === 'unreadable'
          ? [landing.why]
          : [];
      verified.push({ run: run.id, receipt: landing.kind, problems });
      if (json) continue;
      if (problems.length === 0) cli.print(`${run.id}: ${isLanded ? `whole, ${filesOf(landing)}` : landing.why}`);
      for (const problem of problems) cli.print(`${run.id}: ${colors.red(plain(problem))}`);
    }
    const damaged = verified.filter(({ problems }) => problems.length > 0).length;
    const open = verified.filter(({ receipt }) => receipt === 'open').length;
    if (json) cli.printJson(verified);
    else
      cli.note(
        `${runCount(verified.length)}: ${verified.length - damaged - open} whole, ${damaged} damaged, ${open} without a receipt`,
      );
    return damaged > 0 ? exitCodes.error : exitCodes.ok;
  });
}

async function copy(
  cli: Cli,
  fromAddress: string,
  toAddress: string,
  chosen: readonly string[],
  json: boolean,
): Promise<number> {
  const from = await opened('from', fromAddress);
  const to = await openedToWrite('to', toAddress, from);
  const { landingOf } = await import('../../stores/stored-runs.ts');
  const { copyRun } = await import('../../stores/copied-run.ts');
  const { StoreError } = await import('../../stores/artifact-store.ts');
  await to.checkWritable(false);
  let isPrepared = false;
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-copy-'));
  const goodbye = 'stopped copying; the same command copies the rest';
  return cli
    .interruptible(goodbye, async (signal) => {
      const progress = new TransferProgress(cli.tellProgress);
      const { onFile, onBytes, onWait } = progress;
      const told: { run: string; files: number; bytes: number; problem: string | null }[] = [];
      for await (const run of runsOf(from, chosen)) {
        signal.throwIfAborted();
        progress.onRun(run.id);
        const landing = await landingOf(from, run);
        const none = { run: run.id, files: 0, bytes: 0 };
        try {
          if (landing.kind !== 'landed') throw new StoreError(landing.why, false);
          // Not before there is something to copy.
          if (!isPrepared) await to.prepare(false);
          isPrepared = true;
          const copied = await copyRun(from, to, run, landing, { scratch, signal, onFile, onBytes, onWait });
          told.push({ run: run.id, ...copied, problem: null });
          const rest = copied.files < landing.named.size ? `, of ${landing.named.size}` : '';
          if (!json) cli.print(`${run.id}: copied ${fileCount(copied.files)}${rest}, ${sizeText(copied.bytes)}`);
        } catch (error) {
          // A store that does not answer is not asked for the next run.
          if (!(error instanceof StoreError) || error.retryable) throw error;
          told.push({ ...none, problem: error.message });
          if (!json) cli.print(`${run.id}: ${colors.red(`not copied: ${plain(error.message)}`)}`);
        }
      }
      if (json) cli.printJson(told);
      return told.some(({ problem }) => problem !== null) ? exitCodes.error : exitCodes.ok;
    })
    .finally(() => rm(scratch, { recursive: true, force: true }));
}

const filesOf = ({ named }: { named: ReadonlyMap<string, { size: number }> }): string =>
  `${fileCount(named.size)}, ${sizeText([...named.values()].reduce((sum, { size }) => sum + size, 0))}`;

const runCount = (count: number): string => `${count} ${count === 1 ? 'run' : 'runs'}`;
