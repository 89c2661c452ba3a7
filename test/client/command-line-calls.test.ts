/** `epochal` called wrongly, without a server, or for its help. No worker is needed. */
import { describe, expect, it } from 'vitest';
import { version } from '../../client/version.ts';
import { Command, inProcess } from '../support/command-line.ts';

describe('wrong calls', () => {
  const calls: [string[], number, RegExp][] = [
    [[], 2, /^epochal: a command is needed; "epochal --help" tells more\n$/],
    [['trian', 'x'], 2, /^epochal: there is no command trian; did you mean train\? "epochal --help" lists them all\n$/],
    [['train'], 2, /^epochal: an argument is missing; "epochal train --help" tells more\n$/],
    [['train', '/no/such.yaml'], 2, /^epochal: "\/no\/such\.yaml" cannot be read: there is no such file\n$/],
    [['train', 'x.yaml', '--draft', '--wait'], 2, /^epochal: a draft does not train yet: omit --draft or --wait\n$/],
    [['ls', '--colour'], 2, /^epochal: Unknown argument: colour; "epochal ls --help" tells more\n$/],
    [
      ['ls', '-state:failed', '--where', '-tiny', '--limit', 'many'],
      2,
      /^epochal: limit is NaN: must be a whole number\n$/,
    ],
    [['ls', '-lr0', '>', 'many'], 2, /^epochal: .*"many": must be a number/],
    [['ls', '--limit', 'many'], 2, /^epochal: limit is NaN: must be a whole number\n$/],
    [['stop', 'x', '--mode', 'soon'], 2, /^epochal: mode is "soon": must be one of "batch", "epoch", "now"\n$/],
    [['status', '../x'], 2, /^epochal: run is "\.\.\/x": must consist of letters/],
    [
      ['status', 'no-such-run'],
      2,
      /^epochal: run is "no-such-run": Temporal knows no run with this id, or no longer; "epochal ls" lists those that it knows\n$/,
    ],
    [['folders'], 2, /^epochal: folders needs a command: ls, publish or rm; /],
  ];
  it.each(calls)('%j', async (args, code, told) => {
    const ended = await inProcess(...args);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(told);
  });

  it('and no server: one sentence, and a stack only for those who debug', async () => {
    const env = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const quiet = await new Command(['ls'], env).ended;
    expect(quiet).toEqual({
      code: 1,
      stdout: '',
      stderr: 'epochal: no Temporal server answers at 127.0.0.1:1 (from TEMPORAL_ADDRESS or a temporal.toml)\n',
    });
    const loud = await new Command(['ls'], { ...env, LOG_LEVEL: 'debug' }).ended;
    expect(loud.stderr).toContain('ServerUnreachableError');
  });

  it('every command has help with an example', async () => {
    const commands = [
      'train',
      'configure',
      'begin',
      'continue',
      'fork',
      'extend',
      'retry',
      'reproduce',
      'logs',
      'cp',
      'compare',
      'rm',
      'validate',
      'status',
      'watch',
      'checkpoints',
      'stop',
      'pause',
      'resume',
      'ls',
      'trainers',
      'hosts',
      'folders ls',
      'folders publish',
      'folders rm',
      'store ls',
      'store verify',
      'store copy',
      'store gc',
      'worker',
      'doctor',
    ];
    expect(await inProcess('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const overview = await inProcess('--help');
    for (const command of commands) expect(overview.stdout).toContain(`epochal ${command.split(' ')[0]}`);
    expect(overview.stdout.replace(/\s+/g, ' ')).toContain(
      'Exit codes: 0 done, or the run completed; 1 error; 2 bad input; 3 the run failed; 4 it was stopped;',
    );
    for (const command of commands) {
      const help = await inProcess(...command.split(' '), '--help');
      expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Examples:') });
    }
  });
});
