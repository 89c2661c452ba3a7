/** `epochal logs` and `epochal cp`: what a run has written, without knowing where it is. */

import { placeName, relativePath } from '../../contracts/names.ts';
import { mostLogLines } from '../../contracts/run-files.ts';
import { sizeText } from '../../contracts/size-text.ts';
import { copyFiles } from '../copied-files.ts';
import { ConfigError } from '../errors.ts';
import type { Cli } from './cli.ts';
import { colors } from './colors.ts';
import { exitCodes } from './exit-codes.ts';
import { plain } from './format.ts';
import { lifeArgument, type Root } from './shared-options.ts';

export const fileCommands = (root: Root, cli: Cli): Root =>
  root
    .command(
      'logs <run>',
      "Print the trainer's log",
      (command) =>
        command
          .positional('run', lifeArgument)
          .option('follow', {
            alias: 'f',
            type: 'boolean',
            default: false,
            describe: 'Wait for more until the run is over; Ctrl-C stops waiting, not the run',
          })
          .option('lines', {
            alias: 'n',
            type: 'number',
            requiresArg: true,
            describe: `The last lines only, at most ${mostLogLines}; omitted: the whole log`,
          })
          .example('$0 logs my-run -f -n 20', 'the last lines, and what comes')
          .example('$0 logs my-run --json', 'one JSON object per line'),
      cli.action(async ({ run, follow, lines, json }) => {
        if (lines !== undefined && !(Number.isInteger(lines) && lines >= 1 && lines <= mostLogLines))
          throw new ConfigError([], {
            message: `--lines is ${lines}: must be a whole number from 1 to ${mostLogLines}`,
          });
        const client = await cli.client();
        // Help and other commands need none of Temporal's client.
        const { runLog } = await import('../run-log.ts');
        return cli.interruptible(`stopped following the log of ${run}`, async (signal) => {
          for await (const item of runLog(client, run, { follow, lines, signal })) {
            if (item.kind === 'trouble') cli.note(colors.yellow(`${plain(item.message)}; still trying`));
            else if (item.kind === 'recovered') cli.note('recovered');
            else if (json) cli.printJson({ text: item.text });
            else cli.print(plain(item.text));
          }
          return exitCodes.ok;
        });
      }),
    )
    .command(
      'cp <source> <target>',
      'Copy files of a run to this machine',
      (command) =>
        command
          .positional('source', {
            type: 'string',
            demandOption: true,
            describe: '<run>:<path>, a file or a folder of the run; <run>: for all of it',
          })
          .positional('target', { type: 'string', demandOption: true, describe: 'A file or folder on this machine' })
          .option('force', { type: 'boolean', default: false, describe: 'Replace files that exist already' })
          .example('$0 cp my-run:checkpoints/epoch-0012 .', 'a checkpoint, into this folder')
          .example('$0 cp my-run:metrics.jsonl metrics.jsonl', 'one file')
          .epilogue(
            'Files come from the host while the run trains there, from its output folder in the store afterwards. Each copy is compared with the sha256 that the run has recorded, where it has one.',
          ),
      cli.action(async ({ source, target, force, json }) => {
        const { run, path } = sourceOf(source);
        const client = await cli.client();
        return cli.interruptible('stopped copying; files that were copied whole stay', async (signal) => {
          const copied = await copyFiles(client, run, path, target, { force, signal, onFile: cli.tellProgress });
          if (json) cli.printJson(copied);
          else {
            const { length } = copied.files;
            cli.print(
              `${length} ${length === 1 ? 'file' : 'files'}, ${sizeText(copied.bytes)}, in ${plain(copied.target)}`,
            );
          }
          return exitCodes.ok;
        });
      }),
    );

/** `my-run:checkpoints/epoch-0012`. */
function sourceOf(source: string): { run: string; path: string } {
  const colon = source.indexOf(':');
  const [run, path] = [source.slice(0, colon), source.slice(colon + 1).replace(/\/+$/, '')];
  if (colon > 0 && placeName.safeParse(run).success && (path === '' || relativePath.safeParse(path).success))
    return { run, path };
  throw new ConfigError([], {
    message: `source is ${JSON.stringify(source)}: must be <run>:<path> with a relative path inside the run, e.g. my-run:checkpoints/epoch-0012, or <run>: for all of it`,
  });
}
