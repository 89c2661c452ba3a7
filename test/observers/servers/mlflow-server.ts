/** MLflow's own server, which asks for a password, for all test files of a run. What it is told is in a database, or in files. It starts beside what else is tested: `readyMlflow` waits for it. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { ensureEnvironment, readRequirements } from '../../../worker/python-environments.ts';
import { type RunningServer, startServer } from '../../stores/servers/server-process.ts';
import { mlflowProgram } from '../../stores/servers/server-programs.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A file that says where it is, once it answers. */
    mlflow: string;
  }
}

export const [user, password] = ['admin', 'hardly-a-secret-of-anybody'];
export const authorization = `Basic ${btoa(`${user}:${password}`)}`;
const program = fileURLToPath(new URL('../../../observers/trackers/mlflow_tracker.py', import.meta.url));

export type MlflowBackend = 'sqlite' | 'files';

export const setup = (project: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> => setUp(project, 'sqlite');

export async function setUp(
  project: Pick<TestProject, 'provide'>,
  backend: MlflowBackend,
): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-mlflow-'));
  const told = join(folder, 'server.json');
  project.provide('mlflow', told);
  const tell = async (what: { endpoint: string | null } | { failure: string }) => {
    await writeFile(`${told}.new`, JSON.stringify(what));
    await rename(`${told}.new`, told);
  };
  const over = new AbortController();
  const starting = start(folder, backend, over.signal).then(
    async (server) => {
      await tell({ endpoint: server?.endpoint ?? null });
      return server;
    },
    async (error: unknown) => {
      await tell({ failure: String(error) });
      return null;
    },
  );
  return async () => {
    // Tests that do not need it do not wait for it.
    over.abort();
    await (await starting)?.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

/** With the environment of its client, which tests would wait for. */
async function start(folder: string, backend: MlflowBackend, signal: AbortSignal): Promise<RunningServer | null> {
  const settings = join(folder, 'auth.ini');
  const lines = [
    ...['[mlflow]', 'default_permission = READ', `database_uri = sqlite:///${folder}/auth.sqlite`],
    ...[`admin_username = ${user}`, 'authorization_function = mlflow.server.auth:authenticate_request_basic_auth'],
    // A password takes it longer to compare than all else of a request.
    'auth_cache_ttl_seconds = 3600',
  ];
  await writeFile(settings, `${lines.join('\n')}\n`);
  const args = (port: number) => ['--host', '127.0.0.1', '--port', `${port}`];
  const environment = {
    MLFLOW_AUTH_CONFIG_PATH: settings,
    MLFLOW_AUTH_ADMIN_PASSWORD: password,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    MLFLOW_FLASK_SERVER_SECRET_KEY: randomUUID(),
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    // As `mlflow server` tells it of its own options.
    _MLFLOW_SGI_NAME: 'uvicorn',
    _MLFLOW_SERVER_FILE_STORE: backend === 'files' ? join(folder, 'mlruns') : `sqlite:///${folder}/mlflow.sqlite`,
    MLFLOW_ALLOW_FILE_STORE: `${backend === 'files'}`,
    _MLFLOW_SERVER_ARTIFACT_ROOT: folder,
  };
  const server = await startServer('MLflow', await mlflowProgram(), args, environment, 'http', signal);
  try {
    // It makes its tables for whoever asks first, who would wait for longer than a client does.
    const headers = { authorization };
    if (server) await fetch(`${server.endpoint}/api/2.0/mlflow/experiments/get?experiment_id=0`, { headers, signal });
    if (!signal.aborted) await ensureEnvironment({ requirements: await readRequirements(program), signal });
  } catch (error) {
    await server?.stop();
    throw error;
  }
  return server;
}
