/** `epochal store gc`: what no receipt names goes, after it was shown. */
import type { Argv } from 'yargs';
import { sizeText } from '../../contracts/size-text.ts';
import type { Landed, StoredRun } from '../../stores/stored-runs.ts';
import type { Unnamed } from '../../stores/unnamed-files.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { plain } from './format.ts';
import { agrees } from './question.ts';
import type { SharedOptions } from './shared-options.ts';
import { fileCount, opened, runsOf, storeArgument, whichRuns } from './store-options.ts';
import { TransferProgress } from './transfer-progress.ts';

/** Of a run that are shown by name. */
const mostShown = 20;

export const addStoreGc = <A extends SharedOptions>(store: Argv<A>, cli: Cli) =>
  store.command(
    'gc <store> [runs..]',
    'Remove files of runs that are over that no receipt names, after asking',
    (command) =>
      command
        .positional('store', storeArgument)
        .positional('runs', whichRuns)
        .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'Do not ask' })
        .example('$0 store gc s3://results/vision', 'says what will be removed, and asks')
        .epilogue(
          'The Temporal server is asked whether a run is over. Left as they are: runs that are open or being salvaged, runs without a receipt, or with one that cannot be trusted, runs whose host did not answer when they ended, and checkpoints that are newer than their receipt.',
        ),
    cli.action(async ({ store: address, runs, yes, json }) => collect(cli, address, runs, { yes, json })),
  );

interface Found {
  run: StoredRun;
  landed: Landed;
  unnamed: Unnamed;
}

async function collect(
  cli: Cli,
  address: string,
  chosen: readonly string[],
  { yes, json }: { yes: boolean; json: boolean },
): Promise<number> {
  const store = await opened('store', address);
  const { landingOf, lifeOf, whyAwaited } = await import('../../stores/stored-runs.ts');
  const { removeUnnamed, unnamedFiles } = await import('../../stores/unnamed-files.ts');
  const { Calls } = await import('../calls.ts');
  const { OverLives } = await import('../over-lives.ts');
  const progress = new TransferProgress(cli.tellProgress);
  const { client } = await cli.connection();
  const lives = new OverLives(new Calls(client));
  const whyLeft = async ({ output, place }: StoredRun) => {
    const claim = await lifeOf(store, output);
    return claim ? lives.whyOpen(place, claim.life) : 'it has no claim that tells whose it is';
  };
  const found: Found[] = [];
  const left: { run: string; why: string }[] = [];
  for await (const run of runsOf(store, chosen)) {
    progress.onRun(run.id);
    const landing = await landingOf(store, run);
    if (landing.kind !== 'landed') {
      left.push({ run: run.id, why: landing.why });
      continue;
    }
    const awaited = whyAwaited(landing.receipt);
    if (awaited !== null) {
      left.push({ run: run.id, why: awaited });
      continue;
    }
    const unnamed = await unnamedFiles(store, run, landing);
    for (const { checkpoint, why } of unnamed.kept) left.push({ run: run.id, why: `checkpoint ${checkpoint} ${why}` });
    if (unnamed.files.length === 0) continue;
    const why = await whyLeft(run);
    if (why === null) found.push({ run, landed: landing, unnamed });
    else left.push({ run: run.id, why });
  }
  for (const { run, why } of left) cli.note(`${run} is left: ${plain(why)}`);
  const all = found.flatMap(({ unnamed }) => unnamed.files);
  const total = `${fileCount(all.length)}, ${sizeText(all.reduce((sum, { size }) => sum + size, 0))}`;
  for (const one of found) for (const line of linesOf(one)) cli.note(line);
  const removed: { run: string; files: string[] }[] = [];
  if (found.length > 0 && !yes && !(await agrees(`Remove ${total} for good?`, { command: 'store gc' }))) {
    cli.note('nothing was removed');
    return exitCodes.error;
  }
  for (const { run, landed, unnamed } of found) {
    progress.onRun(run.id);
    // Asked again: the answer may have been given an hour ago.
    const whyOpen = () => whyLeft(run);
    const { files, why } = await removeUnnamed(store, run, landed, unnamed, { whyOpen, onFile: progress.onFile });
    if (files.length > 0) removed.push({ run: run.id, files });
    if (why === null) continue;
    left.push({ run: run.id, why });
    cli.note(`${run.id} is left: ${plain(why)}`);
  }
  const count = removed.reduce((sum, { files }) => sum + files.length, 0);
  if (json) cli.printJson({ removed, left });
  else cli.print(found.length === 0 ? 'there is nothing to remove' : `removed ${fileCount(count)}`);
  return exitCodes.ok;
}

function linesOf({ run, unnamed: { files } }: Found): string[] {
  const shown = files.slice(0, mostShown).map(({ path, size }) => `  ${plain(path)}, ${sizeText(size)}`);
  const more = files.length - shown.length;
  return [`${run.id}: no receipt names`, ...shown, ...(more > 0 ? [`  and ${more} more`] : [])];
}
