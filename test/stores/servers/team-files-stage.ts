/** Stores in the Team Files of the server. */
import { inject } from 'vitest';
import { TeamFilesBucket } from '../../../stores/team-files-bucket.ts';
import { ObjectStage } from './object-stage.ts';
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
