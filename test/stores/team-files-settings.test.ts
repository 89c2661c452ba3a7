/** Which Supervisely server is asked, as whom and for which team; what is missing or wrong is one sentence, without the token. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BucketError } from '../../stores/bucket.ts';
import { teamFilesSettings } from '../../stores/team-files-settings.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'epochal-home-'));
  vi.stubEnv('HOME', home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true, force: true });
});

const inHome = (text: string) => writeFile(join(home, 'supervisely.env'), text);
const here = { SERVER_ADDRESS: 'https://supervisely.example.org', API_TOKEN: 'secret', TEAM_ID: '7' };
const api = 'https://supervisely.example.org/public/api/v3/';

it.each([
  [here, { api, token: 'secret', team: 7 }],
  [
    { ...here, SERVER_ADDRESS: 'https://supervisely.example.org//' },
    { api, token: 'secret', team: 7 },
  ],
  [
    { ...here, SERVER_ADDRESS: '10.0.0.5:8080' },
    { api: 'http://10.0.0.5:8080/public/api/v3/', token: 'secret', team: 7 },
  ],
  [
    { ...here, SUPERVISELY_API_SERVER_ADDRESS: 'http://api:90/inner/' },
    { api: 'http://api:90/inner/v3/', token: 'secret', team: 7 },
  ],
  // As in an app: the team of its context goes before that of whoever started the agent.
  [
    { ...here, 'context.teamId': '8' },
    { api, token: 'secret', team: 8 },
  ],
  [
    { ...here, 'context.teamId': '8', CONTEXT_TEAMID: '9' },
    { api, token: 'secret', team: 9 },
  ],
])('the environment %j', async (env, expected) => {
  await inHome('SERVER_ADDRESS=https://other.example.org\nAPI_TOKEN=other\nTEAM_ID=99\n');
  expect(await teamFilesSettings(env)).toEqual(expected);
});

it('the file in the home folder, as the SDK writes it, read anew each time', async () => {
  await inHome('SERVER_ADDRESS="https://supervisely.example.org"\nexport API_TOKEN=\'secret\' # mine\n\nTEAM_ID=7\n');
  expect(await teamFilesSettings({})).toEqual({ api, token: 'secret', team: 7 });
  expect(await teamFilesSettings({ TEAM_ID: '8' })).toEqual({ api, token: 'secret', team: 8 });
  await inHome(`SERVER_ADDRESS=${here.SERVER_ADDRESS}\nAPI_TOKEN=renewed\nTEAM_ID=7\n`);
  expect(await teamFilesSettings({})).toEqual({ api, token: 'renewed', team: 7 });
  // Only the team of the file, and no token to a server that it was not meant for.
  expect(await teamFilesSettings({ ...here, TEAM_ID: '' })).toEqual({ api, token: 'secret', team: 7 });
  await expect(teamFilesSettings({ SERVER_ADDRESS: 'https://other.example.org' })).rejects.toThrow(
    'SERVER_ADDRESS of this worker has no API_TOKEN beside it',
  );
});

it.each([
  [{}, '', 'SERVER_ADDRESS and API_TOKEN are not set on this worker, nor in ~/supervisely.env'],
  [{ API_TOKEN: 'secret' }, '', 'API_TOKEN of this worker has no SERVER_ADDRESS beside it'],
  [{}, 'SERVER_ADDRESS=https://a\n', 'SERVER_ADDRESS in ~/supervisely.env has no API_TOKEN beside it'],
  [{ ...here, API_TOKEN: 'secret\nx: y' }, '', 'API_TOKEN of this worker is not a token'],
  [{ ...here, API_TOKEN: 'secrét' }, '', 'API_TOKEN of this worker is not a token'],
  [
    { ...here, TEAM_ID: undefined },
    '',
    'TEAM_ID, the team in whose files the store is, is not set on this worker, nor in ~/supervisely.env',
  ],
  [{ ...here, TEAM_ID: 'vision' }, '', 'TEAM_ID is not the number of a team'],
  [{ ...here, TEAM_ID: '-7' }, '', 'TEAM_ID is not the number of a team'],
  [{ ...here, SERVER_ADDRESS: 'ftp://a' }, '', 'SERVER_ADDRESS of this worker is not the address of a server'],
  [{ ...here, SERVER_ADDRESS: 'https://a b' }, '', 'SERVER_ADDRESS of this worker is not the address of a server'],
  [{ ...here, SERVER_ADDRESS: 'https://me:secret@a' }, '', 'SERVER_ADDRESS of this worker is not the address'],
  [{ ...here, SUPERVISELY_API_SERVER_ADDRESS: 'https://' }, '', 'SUPERVISELY_API_SERVER_ADDRESS of this worker is not'],
])('%j and %j in the home folder are refused', async (env, text, why) => {
  if (text) await inHome(text);
  const error = await teamFilesSettings(env).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BucketError);
  expect(error).toMatchObject({ trouble: 'refused' });
  expect((error as Error).message.startsWith(why)).toBe(true);
  expect((error as Error).message).not.toMatch(/secr/);
});

it('says that the file cannot be read', async () => {
  await mkdir(join(home, 'supervisely.env'));
  await expect(teamFilesSettings({})).rejects.toThrow('~/supervisely.env of this worker cannot be read (EISDIR)');
});
