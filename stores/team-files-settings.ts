/**
 * Which Supervisely server is asked, as whom and for which team: as Supervisely's own SDK finds it, in the environment, else in `~/supervisely.env`.
 * Looked up for each request, so that a token that was renewed counts at once.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { BucketError } from './bucket.ts';
import { codeOf } from './file-errors.ts';

export interface TeamFilesSettings {
  /** Of the API's methods, with a slash at its end. */
  api: string;
  token: string;
  team: number;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Names of the team's id, as the SDK goes through them. */
const teamVariables = ['CONTEXT_TEAMID', 'context.teamId', 'TEAM_ID'] as const;

/** Throws a BucketError that tells what is missing, or wrong. */
export async function teamFilesSettings(env: Variables = process.env): Promise<TeamFilesSettings> {
  // A token is told to the server that it came with, and to no other.
  const isHere = Boolean(env.SERVER_ADDRESS || env.API_TOKEN);
  const needsFile = !isHere || !teamIn(env);
  const file = needsFile ? await variablesInHome() : {};
  const { SERVER_ADDRESS: server, API_TOKEN: token, SUPERVISELY_API_SERVER_ADDRESS: api } = isHere ? env : file;
  if (!server && !token) throw missing('SERVER_ADDRESS and API_TOKEN are not set on this worker, nor in');
  const where = isHere ? 'of this worker' : `in ~/${fileName}`;
  if (!server) throw problem(`API_TOKEN ${where} has no SERVER_ADDRESS beside it`);
  if (!token) throw problem(`SERVER_ADDRESS ${where} has no API_TOKEN beside it`);
  // As a header it would end there, and what is said of it has parts of it.
  if (!/^[\x21-\x7e]+$/.test(token)) throw problem(`API_TOKEN ${where} is not a token`);
  const team = teamIn(env) ?? teamIn(file);
  if (team === undefined)
    throw missing('TEAM_ID, the team in whose files the store is, is not set on this worker, nor in');
  if (!/^[1-9]\d{0,14}$/.test(team)) throw problem('TEAM_ID is not the number of a team');
  const base = api ? normal(api) : `${normal(server)}/public/api`;
  if (!isHttp(base))
    throw problem(
      `${api ? 'SUPERVISELY_API_SERVER_ADDRESS' : 'SERVER_ADDRESS'} ${where} is not the address of a server`,
    );
  return { api: `${base}/v3/`, token, team: Number(team) };
}

const fileName = 'supervisely.env';

const teamIn = (variables: Variables) => teamVariables.map((name) => variables[name]).find(Boolean);

/** As the SDK: without a scheme it is http. */
const normal = (address: string) => (address.includes('://') ? address : `http://${address}`).replace(/\/+$/, '');

/** An address with a user in it would be shown with the password. */
function isHttp(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, username, password, search, hash } = new URL(address);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '';
}

async function variablesInHome(): Promise<Variables> {
  try {
    return parseEnv(await readFile(join(homedir(), fileName), 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return {};
    throw new BucketError('refused', `~/${fileName} of this worker cannot be read (${codeOf(error) ?? 'unknown'})`);
  }
}

const problem = (why: string) => new BucketError('refused', why);
const missing = (what: string) => problem(`${what} ~/${fileName}`);
