/** `epochal reproduce`: a run again from its receipt, after saying what differs now. */
import { type Difference, isExact, type Reproduction } from '../reproduction.ts';
import type { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import { plain } from './format.ts';
import { agrees } from './question.ts';
import { newRunOption, type Root, runArgument, waitOption } from './shared-options.ts';
import { startRun } from './start-run.ts';

export const reproduceCommand = (root: Root, cli: Cli): Root =>
  root.command(
    'reproduce <run>',
    'Start a run again from its receipt, after saying what differs now',
    (command) =>
      command
        .positional('run', runArgument)
        .option('as', newRunOption)
        .option('check', { type: 'boolean', default: false, describe: 'Only say what differs; start nothing' })
        .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'Do not ask where something differs' })
        .option('wait', waitOption)
        .example('$0 reproduce my-run', 'says what differs, asks, and starts it')
        .example('$0 reproduce my-run --check --json', 'what differs, for a program')
        .epilogue(
          'The same configuration, seed and data set. Commit, uncommitted changes, trainer, SDK, packages, GPU driver and data are compared with what each host of the pool has now; nothing on a host is changed. A run whose code.diff is truncated is refused.',
        ),
    cli.action(async ({ run, as, check, yes, wait, json }) => {
      const client = await cli.client();
      const plan = await client.planReproduction(run, { as, onProgress: cli.tellProgress });
      const lines = reproductionLines(run, plan);
      if (check) {
        if (json) cli.printJson({ exact: isExact(plan), ...plan });
        else cli.print(lines.join('\n'));
        return exitCodes.ok;
      }
      for (const line of lines) cli.note(line);
      const question = 'Start it with what is there now?';
      if (
        !isExact(plan) &&
        !yes &&
        !(await agrees(question, { command: 'reproduce', otherwise: 'nothing was started' }))
      ) {
        cli.note('nothing was started');
        return exitCodes.error;
      }
      return startRun(cli, plan.config, { wait, json });
    }),
  );

const titles: Readonly<Record<Difference['what'], string>> = {
  commit: 'commit',
  changes: 'uncommitted changes',
  withheld: 'changes of files that may hold secrets, or within submodules',
  entry: 'program',
  trainer: "trainer's files",
  sdk: 'SDK',
  environment: 'requirements.lock',
  packages: 'package',
  driver: 'GPU driver',
  image: 'image',
  data: 'split of the data set',
};

/** Of one host; more are many. */
const mostLines = 30;

export function reproductionLines(
  run: string,
  { config, commit, hasDiff, differences, hosts }: Reproduction,
): string[] {
  const isOtherCode = hosts.some(
    (host) => host.ok && host.differences.some(({ what }) => what === 'commit' || what === 'changes'),
  );
  const apply = hasDiff ? `, then "git apply code.diff" (epochal cp ${run}:code.diff .)` : '';
  return [
    ...differences.map(lineOf),
    ...(hosts.length === 0 ? [`no host of pool ${config.pool ?? 'gpu'} says what it would train with`] : []),
    ...hosts.flatMap((host) => {
      if (!host.ok) return [`${host.host}: not known: ${plain(host.problem)}`];
      if (host.differences.length === 0) return [`${host.host}: nothing differs`];
      const told = host.differences.slice(0, mostLines).map((difference) => `  ${lineOf(difference)}`);
      const more = host.differences.length - told.length;
      return [`${host.host}:`, ...told, ...(more > 0 ? [`  and ${more} more`] : [])];
    }),
    ...(commit !== null && isOtherCode ? [`the code of ${run}: "git checkout ${commit}"${apply}`] : []),
  ];
}

function lineOf({ what, was, is }: Difference): string {
  if (what === 'withheld') return `${titles[what]}: not compared`;
  return `${titles[what]}: ${shown(was)} → ${shown(is)}`;
}

/** Of a digest, as much as people compare. */
const shown = (value: string | null): string =>
  value === null ? 'not known' : /^[0-9a-f]{40,64}$/.test(value) ? value.slice(0, 12) : plain(value);
