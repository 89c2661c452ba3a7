/** A Temporal server as in production, on PostgreSQL, for a benchmark: both as processes of this machine, in a folder of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { must } from '../../test/containers/docker.ts';
import { program, sourceOf } from '../../test/containers/go-programs.ts';
import { serverModule, temporalVersion } from '../../test/containers/temporal-images.ts';

export interface Cluster {
  address: string;
  /** The first process of each. */
  temporal: number;
  postgres: number;
  stop(): Promise<void>;
}

const startsWithinSeconds = 120;
const setUpNamespace = fileURLToPath(new URL('../../docker/set-up-namespace.sh', import.meta.url));

/** Long polls of a host are ten; what Temporal allows a namespace by default is enough for a hundred hosts. */
const dynamicConfig = `
frontend.WorkerCommandsEnabled: [{value: true}]
system.enableCancelActivityWorkerCommand: [{value: true}]
frontend.namespaceCount: [{value: 10000}]
frontend.namespaceRPS: [{value: 10000}]
`;

export async function startCluster(folder: string): Promise<Cluster> {
  const postgres = await startPostgres(join(folder, 'postgresql'));
  try {
    await setUpDatabases(postgres.port);
    const { server, address } = await startServer(folder, postgres.port);
    return {
      address,
      temporal: server.pid ?? 0,
      postgres: postgres.process.pid ?? 0,
      stop: async () => {
        await end(server, 'SIGTERM');
        await end(postgres.process, 'SIGINT');
      },
    };
  } catch (error) {
    await end(postgres.process, 'SIGINT');
    throw error;
  }
}

async function startPostgres(folder: string): Promise<{ process: ChildProcess; port: number }> {
  const bin = await postgresPrograms();
  const data = join(folder, 'data');
  await mkdir(folder, { recursive: true });
  // It refuses to run as root.
  const asUser =
    process.getuid?.() === 0 ? ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--init-groups'] : [];
  if (asUser.length > 0) {
    await must('chown', ['postgres:postgres', folder]);
    // It has to get there: the folder above is another one's.
    await must('chmod', ['711', dirname(folder)]);
  }
  const call = (name: string, ...args: string[]): [string, string[]] => {
    const [first = '', ...others] = [...asUser, join(bin, name), ...args];
    return [first, others];
  };
  const initialize = ['--pgdata', data, '--username', 'temporal', '--auth', 'trust', '--encoding', 'UTF8'];
  await must(...call('initdb', ...initialize), { cwd: folder });
  const port = await freePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'max_connections=200',
  ];
  const log = openSync(join(folder, 'log'), 'a');
  const started = spawn(...call('postgres', '-D', data, ...settings.flatMap((setting) => ['-c', setting])), {
    cwd: folder,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  process.once('exit', () => started.kill('SIGQUIT'));
  await answers(port, started, 'PostgreSQL');
  return { process: started, port };
}

async function setUpDatabases(port: number): Promise<void> {
  const tool = await program('go.temporal.io/server/cmd/tools/sql', temporalVersion);
  const schema = join(await sourceOf(serverModule), 'schema/postgresql/v12');
  const where = ['--plugin', 'postgres12', '--endpoint', '127.0.0.1', '--port', String(port), '--user', 'temporal'];
  for (const [database, part] of [
    ['temporal', 'temporal'],
    ['temporal_visibility', 'visibility'],
  ] as const) {
    const of = [...where, '--database', database];
    await must(tool, [...of, 'create-database']);
    await must(tool, [...of, 'setup-schema', '--version', '0.0']);
    await must(tool, [...of, 'update-schema', '--schema-dir', join(schema, part, 'versioned')]);
  }
}

async function startServer(folder: string, database: number): Promise<{ server: ChildProcess; address: string }> {
  const binary = await program('go.temporal.io/server/cmd/server', temporalVersion);
  const config = join(folder, 'dynamic-config.yaml');
  await writeFile(config, dynamicConfig);
  const services = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'];
  const ports: Record<string, string> = {};
  for (const service of services) {
    ports[`${service}_GRPC_PORT`] = String(await freePort());
    ports[`${service}_MEMBERSHIP_PORT`] = String(await freePort());
  }
  const log = openSync(join(folder, 'temporal.log'), 'a');
  const server = spawn(binary, ['start'], {
    cwd: folder,
    env: {
      ...{ PATH: process.env.PATH, DB: 'postgres12', DB_PORT: String(database), POSTGRES_SEEDS: '127.0.0.1' },
      ...{ POSTGRES_USER: 'temporal', BIND_ON_IP: '127.0.0.1', LOG_LEVEL: 'warn' },
      ...{ DYNAMIC_CONFIG_FILE_PATH: config, PUBLIC_FRONTEND_ADDRESS: `127.0.0.1:${ports.FRONTEND_GRPC_PORT}` },
      ...{ FRONTEND_HTTP_PORT: String(await freePort()), ...ports },
    },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  process.once('exit', () => server.kill('SIGKILL'));
  const port = Number(ports.FRONTEND_GRPC_PORT);
  await answers(port, server, 'the Temporal server');
  const address = `127.0.0.1:${port}`;
  const { path: cli } = await ensureTemporalBinary();
  await must('sh', [setUpNamespace], {
    env: {
      ...{ ...process.env, PATH: [dirname(cli), process.env.PATH].join(delimiter) },
      ...{ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'default', EPOCHAL_RETENTION: '3d' },
    },
  });
  return { server, address };
}

/** Debian keeps them beside the PATH. */
async function postgresPrograms(): Promise<string> {
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const folders = [
    ...versions.map((version) => join('/usr/lib/postgresql', version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
  if (!found) throw new Error('this benchmark needs PostgreSQL: initdb and postgres (apt-get install postgresql)');
  return found;
}

async function answers(port: number, program: ChildProcess, what: string): Promise<void> {
  const until = performance.now() + startsWithinSeconds * 1000;
  while (performance.now() < until && program.exitCode === null) {
    const socket = createConnection(port, '127.0.0.1');
    const isThere = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isThere) return;
    await delay(100);
  }
  throw new Error(`${what} does not answer on port ${port}`);
}

/** Below the ports that the system gives out: Temporal keeps the ports of its parts in 16 bits with a sign. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** Resolves once it has ended, also where it had before. */
export async function end(program: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const ended = once(program, 'exit');
  program.kill(signal);
  await ended;
}
