/** The file that `EPOCHAL_NOTIFY` names: what is refused, in words without secrets; and `epochal notify test`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../../client/cli/main.ts';
import { readNotify } from '../../observers/notify-settings.ts';
import { readSettings } from '../../worker/settings.ts';
import { MailServer } from '../support/mail-server.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-notify-'));
  file = join(folder, 'notify.yaml');
});
afterEach(() => rm(folder, { recursive: true }));

const good = `
targets:
  team: {slack: env:SLACK}
  mail: {email: {server: env:MAIL, from: a@example.org, to: [b@example.org]}}
rules:
  - {to: [team, mail], on: [failed, restarted], projects: [vision]}
`;
const env = { SLACK: 'https://hooks.example.org/hidden', MAIL: 'smtp://me:hidden@127.0.0.1:25' };

it('is read with the settings of a worker', async () => {
  await writeFile(file, good);
  const { notify } = readSettings({ EPOCHAL_DATA_DIR: folder, EPOCHAL_NOTIFY: file, ...env });
  expect(Object.keys(notify?.targets ?? {})).toEqual(['team', 'mail']);
  expect(readSettings({ EPOCHAL_DATA_DIR: folder }).notify).toBeNull();
  expect(() => readSettings({ EPOCHAL_DATA_DIR: folder, EPOCHAL_NOTIFY: 'here' })).toThrow('must be the absolute path');
});

it('takes secrets from files, as they are then', async () => {
  const secret = join(folder, 'slack');
  await writeFile(file, good.replace('env:SLACK', `file:${secret}`));
  expect(() => readNotify(file, env)).toThrow(`targets.team.slack: file:${secret} cannot be read: ENOENT`);
  await writeFile(secret, 'https://hooks.example.org/hidden\n');
  expect(readNotify(file, env)).toBeTruthy();
});

it.each([
  ['targets.team.slack: env:SLACK is not set', good, { MAIL: env.MAIL }],
  ['targets.team.slack: what is at env:SLACK must be an http or https address', good, { ...env, SLACK: 'hidden' }],
  ['targets.mail.email.server: what is at env:MAIL must be smtp://', good, { ...env, MAIL: 'https://hidden' }],
  ['a secret itself does not belong here', good.replace('env:SLACK', env.SLACK), env],
  ['rules.0.on.0: must be one of completed, stopped, failed', good.replace('[failed,', '[exploded,'), env],
  ['or such as "waiting > 1h"', good.replace('failed,', 'waiting > 1 week,'), env],
  ['rules.0.to: names nobody, and the targets are team, mail', good.replace('[team, mail]', '[nobody]'), env],
  [
    'rules: team may wait for at most 10 metrics and 10 times',
    good.replace('failed,', Array.from({ length: 11 }, (_, index) => `"waiting > ${index + 1}h",`).join('')),
    env,
  ],
  ['must be lower-case letters, digits', good.replace('team:', 'The Team:'), env],
  ['cannot be read: no YAML in line 1', 'targets: [hidden', env],
])('says "%s", and no secret', async (message, text, variables) => {
  await writeFile(file, text);
  const read = () => readNotify(file, variables);
  expect(read).toThrow(message);
  expect(read).not.toThrow('hidden');
});

async function epochal(args: readonly string[], variables: NodeJS.ProcessEnv) {
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err') =>
    new Writable({
      write: (chunk, _, done) => {
        said[name] += String(chunk);
        done();
      },
    });
  const code = await main(args, { env: variables, stdout: into('out'), stderr: into('err') });
  return { code, ...said };
}

it('epochal notify test tells of each target whether it took one', async () => {
  const server = await MailServer.start();
  try {
    await writeFile(file, good);
    const variables = {
      EPOCHAL_NOTIFY: file,
      SLACK: 'http://127.0.0.1:1/hidden',
      MAIL: `smtp://127.0.0.1:${server.port}`,
    };
    const both = await epochal(['notify', 'test', '--json'], variables);
    expect(both.code).toBe(1);
    expect(JSON.parse(both.out)).toEqual([
      { target: 'team', problem: expect.stringMatching(/^Slack cannot be reached/) },
      { target: 'mail', problem: null },
    ]);
    expect(server.mails[0]?.text).toContain('Subject: Epochal: a test of mail');
    expect(await epochal(['notify', 'test', 'mail'], variables)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/mail +taken/),
    });
    const wrong = await epochal(['notify', 'test', 'nobody'], variables);
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('has no target nobody, only team, mail') });
    expect((await epochal(['notify', 'test'], {})).err).toContain('EPOCHAL_NOTIFY is not set');
  } finally {
    await server.stop();
  }
});
