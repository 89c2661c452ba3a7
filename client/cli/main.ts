/** The `epochal` command. */
import yargs from 'yargs';
import { ConfigError } from '../errors.ts';
import { version } from '../version.ts';
import { Cli } from './cli.ts';
import { compareCommand } from './compare-command.ts';
import { completeRuns } from './complete-runs.ts';
import { withDashedWords } from './dashed-words.ts';
import { exitCodeText } from './exit-codes.ts';
import { fileCommands } from './file-commands.ts';
import { goodputCommand } from './goodput-command.ts';
import { hostCommands } from './host-commands.ts';
import { listCommand } from './list-command.ts';
import { nextRunCommands } from './next-run-commands.ts';
import { notifyCommand } from './notify-command.ts';
import { removeCommand } from './remove-command.ts';
import { reproduceCommand } from './reproduce-command.ts';
import { runCommands } from './run-commands.ts';
import { serviceCommands } from './service-commands.ts';
import type { Root } from './shared-options.ts';
import { storeCommands } from './store-commands.ts';
import { trainCommands } from './train-commands.ts';

/** What the script of `epochal completion` calls. yargs would not wait for the server's answer. */
const completionRequest = '--get-yargs-completions';

export interface Surroundings {
  env?: NodeJS.ProcessEnv;
  stdout?: NodeJS.WritableStream;
  stderr?: NodeJS.WritableStream;
}

/** Answers the exit code; what went wrong is on stderr by then. */
export async function main(args: readonly string[], surroundings: Surroundings = {}): Promise<number> {
  const { env = process.env, stdout = process.stdout, stderr = process.stderr } = surroundings;
  const cli = new Cli(env, stdout, stderr);
  // `epochal ls --json | head -1`: the reader has what it wanted.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(cli.exitCode);
    throw error;
  });
  try {
    if (args[0] === completionRequest) {
      // A shell that completes has no place for a sentence about what is wrong.
      for (const word of await complete(cli, args.slice(1)).catch(() => [])) cli.print(word);
      return cli.exitCode;
    }
    await commandLine(cli, args).parseAsync(withDashedWords(args), {}, (_error, _args, help) => {
      if (help !== '') cli.print(help);
    });
  } catch (error) {
    cli.report(error);
  } finally {
    await cli.close();
  }
  return cli.exitCode;
}

/** `words` begin with the program's name and end with what is being typed. */
async function complete(cli: Cli, words: readonly string[]): Promise<readonly string[]> {
  const [, command, ...rest] = words;
  const [current = '', second = ''] = rest;
  if (rest.length === 0) return commandLine(cli, []).getCompletion(words);
  if (command === 'folders') {
    if (rest.length === 1) return ['ls', 'publish', 'rm'].filter((word) => word.startsWith(current));
    return current === 'rm' && rest.length === 2 ? completeRuns(cli, 'folders rm', second) : [];
  }
  if (command === 'store')
    return rest.length === 1 ? ['ls', 'verify', 'copy', 'gc'].filter((word) => word.startsWith(current)) : [];
  if (command === 'notify') return rest.length === 1 ? ['test'].filter((word) => word.startsWith(current)) : [];
  if (command === 'cp') {
    // What follows the run is not known without listing its files.
    return rest.length === 1 ? (await completeRuns(cli, command, current)).map((run) => `${run}:`) : [];
  }
  if (command === 'compare') return completeRuns(cli, command, rest.at(-1) ?? '');
  // Where there is no run to complete, the shell offers file names.
  return rest.length === 1 ? completeRuns(cli, command, current) : [];
}

function commandLine(cli: Cli, args: readonly string[]): Root {
  const root = yargs()
    .scriptName('epochal')
    .locale('en') // as all that it is given to say
    .usage('$0 <command>\n\nDurable model training: start a run, watch it, stop it; its checkpoints are always saved.')
    .option('json', {
      type: 'boolean',
      default: false,
      global: true,
      describe: 'Print JSON, and nothing else, on stdout',
    });
  for (const add of [
    trainCommands,
    nextRunCommands,
    reproduceCommand,
    runCommands,
    fileCommands,
    listCommand,
    compareCommand,
    goodputCommand,
    removeCommand,
    hostCommands,
    storeCommands,
    notifyCommand,
    serviceCommands,
  ])
    add(root, cli);
  return root
    .completion('completion', 'Print a script that completes commands and run ids in bash or zsh')
    .demandCommand(1, 'a command is needed')
    .strict()
    .recommendCommands()
    .help()
    .alias('help', 'h')
    .version(version)
    .describe('version', 'Show the version')
    .epilogue(
      `${exitCodeText}\nThe Temporal server is the one of TEMPORAL_ADDRESS or temporal.toml, else the one that "epochal up" started.`,
    )
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      // What an argument's check threw arrives as yargs's own error.
      if (error && error.name !== 'YError') throw error;
      throw new ConfigError([], { message: error?.message ?? misuse(message ?? '', args) });
    });
}

/** What yargs says of a wrong call, as one sentence with the help that fits. */
function misuse(message: string, args: readonly string[]): string {
  const command = args.find((word) => !word.startsWith('-'));
  const help = `"epochal ${command === undefined ? '' : `${command} `}--help" tells more`;
  const [, meant] = /^Did you mean (.+)\?$/.exec(message) ?? [];
  if (meant) return `there is no command ${command}; did you mean ${meant}? "epochal --help" lists them all`;
  if (message.startsWith('Not enough non-option arguments')) return `an argument is missing; ${help}`;
  const [, option, given, choices] = /Argument: (.+?), Given: (.+?), Choices: (.+)/.exec(message) ?? [];
  if (option) return `${option} is ${given}: must be one of ${choices}`;
  const [, unknown] = /^Unknown arguments?: (.+)$/.exec(message) ?? [];
  if (unknown !== undefined && unknown === command)
    return `there is no command ${command}; "epochal --help" lists them`;
  return `${message.trim().split('\n').join(', ') || 'this is not how epochal is called'}; ${help}`;
}
