/** `epochal rm`: a run with its results, after asking. */
import { sizeText } from '../../contracts/size-text.ts';
import type { Removal } from '../removed-run.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { plain } from './format.ts';
import { agrees } from './question.ts';
import { lifeArgument, type Root } from './shared-options.ts';

export const removeCommand = (root: Root, cli: Cli): Root =>
  root.command(
    'rm <run>',
    'Remove a run that is over, with its results, after asking',
    (command) =>
      command
        .positional('run', lifeArgument)
        .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'Do not ask' })
        .example('$0 rm my-run', 'says what will be removed, and asks')
        .epilogue(
          'Removes its output folder in the store, what hosts still have of it, and its record at the Temporal server. Other lives of the run stay. "folders rm" removes a folder on a host alone.',
        ),
    cli.action(async ({ run, yes, json }) => {
      const client = await cli.client();
      const removal = await client.planRemoval(run);
      const lines = removalLines(removal);
      for (const line of lines) cli.note(line);
      if (!yes && !(await agrees('Remove all of it for good?', { command: 'rm' }))) {
        cli.note('nothing was removed');
        return exitCodes.error;
      }
      await client.removeRun(removal);
      const { results, folders, silent } = removal;
      if (json) cli.printJson({ run, results, folders, silent });
      else cli.print(`removed run ${run}`);
      return exitCodes.ok;
    }),
  );

function removalLines({ view, place, results, folders, silent }: Removal): string[] {
  const { receipt, position, outputFolder } = view;
  const isNewest = place === (view.place ?? view.run);
  return [
    isNewest
      ? `run ${view.run}: ${receipt?.outcome ?? 'without a receipt'}, ${position.epoch} epochs trained`
      : `${place}, an older life of run ${view.run}`,
    results
      ? `its results, which are nowhere else: ${sizeText(results.bytes)} with ${results.checkpoints} checkpoints${isNewest ? `, in ${plain(outputFolder ?? '')}` : ''}`
      : 'it has no results in its store',
    ...folders.map(
      ({ host, path, bytes, stored }) =>
        `its folder on ${host}: ${plain(path)}, ${sizeText(bytes)}${stored ? '' : ', not all of it in the store'}`,
    ),
    'its record at the Temporal server',
    ...silent.map((host) => `${host} does not answer: what it may keep of the run stays there`),
  ];
}
