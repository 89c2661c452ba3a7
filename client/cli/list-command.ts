/** `epochal ls`: runs, newest first. */
import { outcomeSchema, runStateSchema } from '../../contracts/receipt.ts';
import { parsed } from '../parse-config.ts';
import { type RunFilter, type RunSummary, runFilterSchema } from '../run-filter.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { numberText, timeText } from './format.ts';
import type { Root } from './shared-options.ts';
import { tableText } from './table.ts';

export const listCommand = (root: Root, cli: Cli): Root =>
  root.command(
    'ls',
    'List runs, newest first',
    (command) =>
      command
        .option('state', { choices: runStateSchema.options, describe: 'In this state now' })
        .option('trainer', { type: 'string', requiresArg: true, describe: 'Of this trainer' })
        .option('project', { type: 'string', requiresArg: true, describe: 'Of this project' })
        .option('outcome', { choices: outcomeSchema.options, describe: 'Which ended so' })
        .option('limit', { type: 'number', default: 50, requiresArg: true, describe: 'At most so many' })
        .example('$0 ls --state training', 'what trains now')
        .example('$0 ls --project demo --outcome failed --json', 'for a program'),
    cli.action(async ({ state, trainer, project, outcome, limit, json }) => {
      const filter: RunFilter = {
        limit,
        ...(state === undefined ? {} : { state }),
        ...(trainer === undefined ? {} : { trainer }),
        ...(project === undefined ? {} : { project }),
        ...(outcome === undefined ? {} : { outcome }),
      };
      parsed(runFilterSchema, filter);
      const runs: RunSummary[] = [];
      for await (const run of (await cli.client()).list(filter)) runs.push(run);
      if (json) cli.printJson(runs);
      else if (runs.length === 0) cli.note('no runs');
      else cli.print(tableText(['run', 'state', 'trainer', 'project', 'best', 'started', 'ended'], runs.map(rowOf)));
      if (runs.length === limit && !json) cli.note(`the newest ${limit}; --limit lists more`);
      return exitCodes.ok;
    }),
  );

const rowOf = ({ run, standing, trainer, project, bestMetric, startedAt, closedAt }: RunSummary): string[] => [
  run,
  standing,
  trainer ?? '',
  project ?? '',
  bestMetric === null ? '' : numberText(bestMetric),
  startedAt === null ? '' : timeText(startedAt),
  closedAt === null ? '' : timeText(closedAt),
];
