/** One server that speaks as Supervisely's for all test files of `npm run test:stores`, and Supervisely's own SDK as its other side. */
import type { TestProject } from 'vitest/node';
import { superviselyProgram } from './server-programs.ts';
import { TeamFilesStandIn } from './team-files-stand-in.ts';

export interface TeamFilesServer {
  /** `http://127.0.0.1:PORT`. */
  endpoint: string;
  token: string;
  /** A Python that has the SDK; null where it cannot be had. */
  sdk: string | null;
}

declare module 'vitest' {
  interface ProvidedContext {
    teamFiles: TeamFilesServer;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const program = await superviselyProgram();
  if ('missing' in program) {
    if (process.env.CI) throw new Error(`no SDK of Supervisely to test with: ${program.missing}`);
    process.stderr.write(`the tests with the SDK of Supervisely are skipped: ${program.missing}\n`);
  }
  const token = 'not-a-token-of-anybody';
  const server = new TeamFilesStandIn(token);
  const endpoint = await server.listen();
  project.provide('teamFiles', { endpoint, token, sdk: 'missing' in program ? null : program.command });
  return () => server.close();
}
