/** `epochal ls`: runs, newest first, or by any parameter or metric. */
import { outcomeSchema, runStateSchema } from '../../contracts/receipt.ts';
import { type FoundRuns, findRuns, mostSearched } from '../found-runs.ts';
import { parsed } from '../parse-config.ts';
import { parseOrder, termsOf } from '../run-conditions.ts';
import { fieldOf, isTime, type ListedRun, needsView } from '../run-fields.ts';
import { runFilterSchema } from '../run-filter.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { numberText, timeText } from './format.ts';
import type { Root } from './shared-options.ts';
import { tableText } from './table.ts';

const usualColumns = ['run', 'state', 'trainer', 'project', 'best', 'started', 'ended'];

export const listCommand = (root: Root, cli: Cli): Root =>
  root.command(
    'ls [search..]',
    'List runs, newest first, or by any parameter or metric',
    (command) =>
      command
        .positional('search', {
          type: 'string',
          array: true,
          default: [] as string[],
          describe: 'Words and comparisons that must all hold, e.g. "digits val_accuracy > 0.97"',
        })
        .option('state', { choices: runStateSchema.options, describe: 'In this state now' })
        .option('trainer', { type: 'string', requiresArg: true, describe: 'Of this trainer' })
        .option('project', { type: 'string', requiresArg: true, describe: 'Of this project' })
        .option('outcome', { choices: outcomeSchema.options, describe: 'With this outcome' })
        .option('where', {
          type: 'string',
          array: true,
          requiresArg: true,
          nargs: 1,
          default: [] as string[],
          describe: 'The same as the search; may be given several times',
        })
        .option('sort', {
          type: 'string',
          requiresArg: true,
          describe: 'By a parameter, a metric or a column; with - before it, the largest first',
        })
        .option('columns', { type: 'string', requiresArg: true, describe: 'Which ones, with commas between them' })
        .option('limit', { type: 'number', default: 50, requiresArg: true, describe: 'At most this many' })
        .example('$0 ls --state training', 'what trains now')
        .example('$0 ls --project demo --outcome failed --json', 'for a program')
        .example("$0 ls 'lr0 > 0.01 -state:failed' --sort -val_accuracy", 'by a parameter, a state and a metric')
        .example('$0 ls --columns run,state,epochs,lr0,metrics.loss', 'chosen columns')
        .epilogue(
          `A word of the search is found anywhere in the run id, trainer, project, data set and parameters; a comparison is a field, one of = != < <= > >=, and a number or text. field:value is field = value, - before a term negates it, and text with spaces is in quotes. Fields are ${usualColumns.join(', ')}, created, outcome, trained, epochs, seed, data, pool, priority, host, every parameter, and every metric as of the last epoch. If a parameter and a metric share a name, parameters.<name> or metrics.<name> says which. Runs without the field match no condition, and are sorted last. Only the newest ${mostSearched} runs that the other options select are searched or sorted.`,
        ),
    cli.action(async ({ state, trainer, project, outcome, search, where, sort, columns, limit, json }) => {
      const filter = {
        ...(state === undefined ? {} : { state }),
        ...(trainer === undefined ? {} : { trainer }),
        ...(project === undefined ? {} : { project }),
        ...(outcome === undefined ? {} : { outcome }),
      };
      parsed(runFilterSchema, { ...filter, limit });
      const terms = [...termsOf('search', search.join(' ')), ...where.flatMap((text) => termsOf('--where', text))];
      const order = sort === undefined ? null : parseOrder(sort);
      const compared = terms.flatMap((term) => (term.kind === 'comparison' ? term.field : []));
      const named = [...compared, ...(order ? [order.field] : [])];
      const chosen = columns?.split(',').flatMap((column) => column.trim() || []);
      const fields = [...new Set(chosen ?? [...usualColumns, ...named])];
      const found = await findRuns(await cli.client(), { filter, terms, order, fields, limit });
      const { runs } = found;
      if (json) cli.printJson(runs.map((run) => jsonOf(run, found.fields)));
      else if (runs.length === 0) cli.note('no runs');
      else
        cli.print(
          tableText(
            fields,
            runs.map((run) => found.fields.map((field) => cellOf(run, field))),
          ),
        );
      tellLimits(cli, found, { limit, isSearch: terms.length > 0 || order !== null, json });
      return exitCodes.ok;
    }),
  );

function cellOf(run: ListedRun, field: string): string {
  const value = fieldOf(run, field);
  if (value === null) return '';
  if (typeof value === 'number') return numberText(value);
  return isTime(field) ? timeText(value) : value;
}

/** What the server lists, and the fields that were asked of the run itself. */
function jsonOf(run: ListedRun, fields: readonly string[]): object {
  const asked = fields.filter(needsView);
  if (asked.length === 0) return run.summary;
  return { ...run.summary, fields: Object.fromEntries(asked.map((field) => [field, fieldOf(run, field)])) };
}

function tellLimits(
  cli: Cli,
  { runs, isCut, silent }: FoundRuns,
  { limit, isSearch, json }: { limit: number; isSearch: boolean; json: boolean },
): void {
  if (silent > 0) cli.note(`${silent} runs did not answer: their parameters and metrics are not known`);
  if (isSearch && isCut)
    cli.note(
      `only the newest ${mostSearched} were searched; --project, --trainer, --state or --outcome narrow the search`,
    );
  if (runs.length === limit && !json) cli.note(`the first ${limit}; --limit lists more`);
}
