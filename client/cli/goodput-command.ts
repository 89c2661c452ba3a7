/** `epochal goodput`: where the time of runs went, by project and week. */
import { type GoodputRow, mostWeeks } from '../../contracts/goodput.ts';
import { secondsWithSlot, timeCauses, timeTitles } from '../../contracts/run-time.ts';
import { findGoodput, mostRuns } from '../goodput.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { durationText } from './format.ts';
import type { Root } from './shared-options.ts';
import { tableText } from './table.ts';

export const goodputCommand = (root: Root, cli: Cli): Root =>
  root.command(
    'goodput',
    'Where the time of runs went, by project and week',
    (command) =>
      command
        .option('project', { type: 'string', requiresArg: true, describe: 'Of this project alone' })
        .option('weeks', {
          type: 'number',
          default: 4,
          requiresArg: true,
          describe: `This week and those before it, at most ${mostWeeks}`,
        })
        .example('$0 goodput --weeks 12', 'the last quarter')
        .epilogue(
          'Goodput is the share of the time with a slot that trained and validated what is part of the result. A run belongs to the week in which it ended, one that is not over to this week; weeks begin on Monday, in UTC.',
        ),
    cli.action(async ({ project, weeks, json }) => {
      const found = await findGoodput(await cli.client(), { ...(project === undefined ? {} : { project }), weeks });
      if (json) cli.printJson(found);
      else if (found.rows.length === 0) cli.note('no runs');
      else cli.print(goodputText(found.rows));
      const untold = found.rows.reduce((sum, row) => sum + row.untold, 0);
      if (untold > 0) cli.note(`${untold} runs do not tell where their time went, and are not counted`);
      if (found.isCut)
        cli.note(`only the newest ${mostRuns} runs were counted; --project and --weeks narrow the search`);
      return exitCodes.ok;
    }),
  );

export function goodputText(rows: readonly GoodputRow[]): string {
  const shown = timeCauses.filter((cause) => rows.some(({ seconds }) => seconds[cause] > 0));
  return tableText(
    [
      'week',
      'project',
      'runs',
      'goodput',
      'with a slot',
      ...shown.map((cause) => timeTitles[cause].toLowerCase()),
      'batches',
      'wasted',
    ],
    rows.map(({ week, project, runs, goodput, seconds, batches }) => [
      ...[week, project, String(runs), goodput === null ? '–' : `${(goodput * 100).toFixed(1)} %`],
      durationText(secondsWithSlot(seconds)),
      ...shown.map((cause) => durationText(seconds[cause])),
      ...[String(batches.trained), `${batches.wastedAtLeast ? 'at least ' : ''}${batches.wasted}`],
    ]),
  );
}
