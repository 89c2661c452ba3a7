/** Stores in the Team Files of the server. */
import { inject } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { TeamFilesBucket } from '../../../stores/team-files-bucket.ts';
import type { Fault } from './fault-proxy.ts';
import { ObjectStage, withVariables } from './object-stage.ts';
import { teams } from './team-files-stand-in.ts';

export const server = inject('teamFiles');

export const teamFilesEnvironment = (endpoint: string) => ({
  SERVER_ADDRESS: endpoint,
  API_TOKEN: server.token,
  TEAM_ID: String(teams.plain),
});

export const teamFiles = new ObjectStage<TeamFilesBucket>(
  'teamfiles:',
  (sizes) => new TeamFilesBucket(sizes),
  () => server,
  teamFilesEnvironment,
);

/** With a store at the same address, in the files of another team. */
export const ofTeam = async <T>(team: number, work: () => Promise<T>) =>
  withVariables({ TEAM_ID: `${team}` }, async () => {
    await openStore(teamFiles.address).prepare(false);
    return work();
  });

/** As the server says it. */
export const refusal = (status: number, message: string, headers: Record<string, string> = {}): Fault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ error: 'Request failed', details: { message } }),
});
