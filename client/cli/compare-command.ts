/** `epochal compare`: what differs between runs, and what came of it. */
import { changedFields } from '../../contracts/changed-fields.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { ConfigError } from '../errors.ts';
import { parseName } from '../parse-config.ts';
import type { RunNow } from '../training-client.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { numberText, plain } from './format.ts';
import type { Root } from './shared-options.ts';
import { tableText } from './table.ts';

const mostCompared = 20;

export const compareCommand = (root: Root, cli: Cli): Root =>
  root.command(
    'compare <runs..>',
    'Compare runs: outcome, best and last metrics, and the fields of their configurations that differ',
    (command) =>
      command
        .positional('runs', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: 'Two or more run ids',
          coerce: (runs: string[]) => [...new Set(runs.map((run) => parseName('run', run)))],
        })
        .example('$0 compare my-run my-other-run', 'side by side'),
    cli.action(async ({ runs, json }) => {
      if (runs.length < 2 || runs.length > mostCompared)
        throw new ConfigError([], {
          message: `compare needs from 2 to ${mostCompared} different runs, and got ${runs.length}`,
        });
      const client = await cli.client();
      const compared = await Promise.all(
        runs.map(async (run) => ({ view: await client.view(run), now: await client.now(run) })),
      );
      const differences = changedFields(compared.map(({ view }) => withoutIdentity(view.config)));
      if (json) {
        cli.printJson({
          runs: compared.map(({ view, now }) => ({
            run: view.run,
            standing: now.summary.standing,
            outcome: now.summary.outcome,
            position: view.position,
            epochs: view.epochs,
            best: view.best,
            metrics: view.metrics,
          })),
          differences,
        });
      } else {
        const rows = [...factsOf(compared), ...differences.map(({ field, values }) => [field, ...values])];
        cli.print(tableText(['', ...runs], rows));
        if (differences.length === 0) cli.note('their configurations are the same');
      }
      return exitCodes.ok;
    }),
  );

/** Which store it was is of no interest where its address is the same. */
const withoutIdentity = ({ storeIdentity: _, ...config }: RunView['config']) => config;

function factsOf(compared: readonly { view: RunView; now: RunNow }[]): string[][] {
  const metrics = [...new Set(compared.flatMap(({ view }) => Object.keys(view.metrics)))];
  const row = (name: string, cell: (view: RunView) => string) => [name, ...compared.map(({ view }) => cell(view))];
  return [
    ['state', ...compared.map(({ now }) => now.summary.standing)],
    row('trained', ({ position, epochs }) => `${position.epoch}${epochs === null ? '' : ` of ${epochs}`} epochs`),
    row('best', ({ best }) => (best ? `${plain(best.metric)} ${numberText(best.value)} (epoch ${best.epoch})` : '–')),
    ...metrics.map((metric) =>
      row(`last ${metric}`, ({ metrics: last }) => {
        const value = Object.hasOwn(last, metric) ? last[metric] : undefined;
        return value === undefined ? '–' : numberText(value);
      }),
    ),
  ];
}
