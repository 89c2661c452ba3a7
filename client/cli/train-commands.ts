/** `epochal train`, `epochal begin`, `epochal configure`, `epochal validate`: from a configuration to a run that trains. */

import type { DraftConfig } from '../../contracts/run-config.ts';
import type { Configure } from '../../contracts/run-messages.ts';
import { ConfigError } from '../errors.ts';
import { parseConfig, parseDraft, readYamlFile } from '../parse-config.ts';
import type { Cli } from './cli.ts';
import { colors } from './colors.ts';
import { withAbsoluteData } from './data-path.ts';
import { dataReportText } from './data-report-text.ts';
import { exitCodes } from './exit-codes.ts';
import { followRun } from './follow-run.ts';
import { patched, patchOf } from './set-option.ts';
import { newRunOption, type Root, runArgument, setOption, waitOption } from './shared-options.ts';
import { startRun } from './start-run.ts';
import { factsText } from './table.ts';

export const trainCommands = (root: Root, cli: Cli): Root =>
  root
    .command(
      'train <config>',
      'Check a configuration and start a run',
      (command) =>
        command
          .positional('config', { type: 'string', demandOption: true, describe: 'A YAML file' })
          .option('wait', waitOption)
          .option('run', newRunOption)
          .option('set', setOption)
          .option('draft', {
            type: 'boolean',
            default: false,
            describe: 'Create a draft, which waits for "epochal begin"',
          })
          .example('$0 train digits.yaml --wait', 'train and watch')
          .example('$0 train digits.yaml --set epochs=3 --set parameters.batch_size=64', 'with two fields changed'),
      cli.action(async ({ config: file, wait, run, set, draft, json }) => {
        if (draft && wait) throw new ConfigError([], { message: 'a draft does not train yet: omit --draft or --wait' });
        const patch = { ...patchOf(set), ...(run === undefined ? {} : { run }) };
        const config = await withAbsoluteData(patched(await readYamlFile(file), patch));
        // What can be told without a server is told without one.
        if (draft) parseDraft(config);
        else parseConfig(config);
        return startRun(cli, config as DraftConfig, { draft, wait, json });
      }),
    )
    .command(
      'configure <run> [config]',
      'Change a draft',
      (command) =>
        command
          .positional('run', runArgument)
          .positional('config', { type: 'string', describe: 'A YAML file to merge into it' })
          .option('set', setOption)
          .example('$0 configure my-run --set epochs=50', 'change a field')
          .example('$0 configure my-run --set data=', 'remove a field'),
      cli.action(async ({ run, config: file, set, json }) => {
        const changes = file === undefined ? {} : await readYamlFile(file);
        if (typeof changes !== 'object' || changes === null || Array.isArray(changes)) {
          throw new ConfigError([], { message: `${file} is not a mapping of fields to values` });
        }
        // Not `patched`, which would drop the nulls that remove a field.
        const patch = await withAbsoluteData(merged(changes as Configure, patchOf(set)));
        if (Object.keys(patch).length === 0)
          throw new ConfigError([], { message: 'nothing to change: give a YAML file or --set field=value' });
        const view = await (await cli.client()).configure(run, patch);
        if (json) cli.printJson(view);
        else
          cli.print(
            factsText([
              ['run', view.run],
              ['state', view.detail],
              ['configuration', JSON.stringify(view.config)],
            ]),
          );
        return exitCodes.ok;
      }),
    )
    .command(
      'begin <run>',
      'Check a draft and start its training',
      (command) =>
        command
          .positional('run', runArgument)
          .option('wait', waitOption)
          .example('$0 begin my-run --wait', 'train the draft and watch it'),
      cli.action(async ({ run, wait, json }) => {
        const view = await (await cli.client()).train(run);
        if (wait) return followRun(cli, run, json);
        if (json) cli.printJson(view);
        else
          cli.print(
            factsText([
              ['run', view.run],
              ['state', view.detail],
              ['output folder', view.outputFolder],
            ]),
          );
        return exitCodes.ok;
      }),
    )
    .command(
      'validate <config>',
      'Check a configuration on a worker, without starting anything',
      (command) =>
        command
          .positional('config', { type: 'string', demandOption: true, describe: 'A YAML file' })
          .option('set', setOption)
          .option('deep', {
            type: 'boolean',
            default: false,
            describe: 'Decode every image of the data set, and look for duplicates and leaks between splits',
          })
          .example('$0 validate digits.yaml', 'check the file')
          .example('$0 validate shapes.yaml --deep --json', 'with every image, as JSON with the whole data report'),
      cli.action(async ({ config: file, set, deep, json }) => {
        const config = await withAbsoluteData(patched(await readYamlFile(file), patchOf(set)));
        try {
          parseConfig(config);
          const {
            config: whole,
            best,
            outputFolder,
            dataReport,
            notes,
          } = await (await cli.client()).check(config, {
            onProgress: cli.tellProgress,
            deep,
          });
          if (json) cli.printJson({ ok: true, config: whole, best, outputFolder, dataReport, notes });
          else
            cli.print(
              `${colors.green('valid')}\n${factsText([
                ['output folder', outputFolder],
                ['best', `${best.mode} ${best.metric}`],
                ['parameters', JSON.stringify(whole.parameters)],
                ...(notes ?? []).map((note): [string, string] => ['note', note]),
              ])}${dataReport ? `\n${dataReportText(dataReport)}` : ''}`,
            );
          return exitCodes.ok;
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          const { problems, message, dataReport } = error;
          if (!json) {
            if (dataReport) cli.print(dataReportText(dataReport));
            throw error;
          }
          cli.printJson({ ok: false, problems, message, dataReport });
          return exitCodes.badInput;
        }
      }),
    );

const merged = (base: Configure, over: Configure): Configure => {
  const result: Configure = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = result[key];
    result[key] = isMapping(before) && isMapping(value) ? merged(before, value) : value;
  }
  return result;
};

const isMapping = (value: Configure[string] | undefined): value is Configure =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
