/** The real compose file, brought up as a project of its own by the scripts of `docker/`, with folders and ports of its own. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ProgramEnd, runProgram } from '../../worker/run-program.ts';
import { until } from '../support/until.ts';
import { Api, type Details } from './api.ts';
import { pythonImage } from './base-images.ts';
import { docker, must } from './docker.ts';
import { postgresImage } from './temporal-images.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const project = 'epochal-test';

export class Stack {
  #env: NodeJS.ProcessEnv;
  readonly #api = new Api(async () => ({
    address: this.api,
    token: (await readFile(join(this.folder, 'secrets/server/EPOCHAL_TOKEN'), 'utf8')).trim(),
  }));

  private constructor(
    readonly folder: string,
    env: NodeJS.ProcessEnv,
    readonly api: string,
    readonly ui: string,
  ) {
    this.#env = env;
  }

  /** Nothing runs yet. */
  static async prepared(version: string): Promise<Stack> {
    const folder = await mkdtemp(join(tmpdir(), 'epochal-stack-'));
    for (const name of ['datasets', 'trainers']) await mkdir(join(folder, name));
    const [temporal, ui, server] = [await freePort(), await freePort(), await freePort()];
    const env = {
      ...process.env,
      // The plugin where it is, else the program of old.
      COMPOSE: (await runProgram('docker', ['compose', 'version'])).code === 0 ? 'docker compose' : 'docker-compose',
      COMPOSE_PROJECT_NAME: project,
      COMPOSE_PROFILES: 'cpu',
      EPOCHAL_BUILD: 'no',
      EPOCHAL_VERSION: version,
      PYTHON_IMAGE: pythonImage,
      POSTGRES_IMAGE: postgresImage,
      TEMPORAL_PORT: String(temporal),
      TEMPORAL_UI_PORT: String(ui),
      EPOCHAL_SERVER_PORT: String(server),
      EPOCHAL_SECRETS_FOLDER: join(folder, 'secrets'),
      EPOCHAL_DATASETS_FOLDER: join(folder, 'datasets'),
      EPOCHAL_TRAINERS_FOLDER: join(folder, 'trainers'),
      EPOCHAL_SHM_SIZE: '256mb',
      EPOCHAL_SLOTS: '2',
    };
    const stack = new Stack(folder, env, `http://127.0.0.1:${server}`, `http://127.0.0.1:${ui}`);
    // What a run that was killed has left.
    await stack.down('--volumes', '--remove-orphans');
    return stack;
  }

  /** Of what is started next. */
  set(changes: NodeJS.ProcessEnv): void {
    this.#env = { ...this.#env, ...changes };
  }

  /** A script of `docker/`; answers its stdout. */
  async script(name: string, ...args: string[]): Promise<string> {
    return (await must('sh', [join('docker', name), ...args], { cwd: root, env: this.#env })).stdout;
  }

  attempt(name: string, ...args: string[]): Promise<ProgramEnd> {
    return runProgram('sh', [join('docker', name), ...args], { cwd: root, env: this.#env });
  }

  async compose(...args: string[]): Promise<string> {
    const [program = '', ...first] = (this.#env.COMPOSE ?? '').split(' ');
    return (await must(program, [...first, ...args], { cwd: root, env: this.#env })).stdout;
  }

  down(...flags: string[]): Promise<string> {
    return this.compose('down', ...flags);
  }

  async remove(): Promise<void> {
    await this.down('--volumes', '--remove-orphans');
    await rm(this.folder, { recursive: true, force: true });
  }

  async container(service: string): Promise<string> {
    const labels = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`];
    const found = await docker(['ps', '--quiet', ...labels.flatMap((label) => ['--filter', `label=${label}`])]);
    const [id] = found.split('\n');
    if (!id) throw new Error(`there is no container of ${service}`);
    return id;
  }

  /** As a crash or the kernel does it: the engine then restarts it, which it would not after `docker kill`. */
  async crash(service: string): Promise<void> {
    const id = await this.container(service);
    const [pid = '', startedAt = ''] = (await inspect(id, '{{.State.Pid}} {{.State.StartedAt}}')).split(' ');
    process.kill(Number(pid), 'SIGKILL');
    await until(`${service} runs again`, async () => {
      const [running, now] = (await inspect(id, '{{.State.Running}} {{.State.StartedAt}}')).split(' ');
      return running === 'true' && now !== startedAt;
    });
  }

  /** What a program on another machine calls, with the token that the set-up made. */
  call<T>(path: string, body?: object): Promise<T> {
    return this.#api.call(path, body);
  }

  start(config: object): Promise<string> {
    return this.#api.start(config);
  }

  run(run: string, what: string, condition: (details: Details) => boolean): Promise<Details> {
    return this.#api.run(run, what, condition);
  }
}

export const inspect = (id: string, format: string) => docker(['inspect', '--format', format, id]);

/** Names of what the engine has of the project. */
export async function leftOver(): Promise<string[]> {
  const label = ['--filter', `label=com.docker.compose.project=${project}`];
  const lists = await Promise.all([
    docker(['ps', '--all', '--quiet', ...label]),
    docker(['volume', 'ls', '--quiet', ...label]),
    docker(['network', 'ls', '--quiet', ...label]),
  ]);
  return lists.flatMap((list) => list.split('\n')).filter(Boolean);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
