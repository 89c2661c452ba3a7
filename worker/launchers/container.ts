/**
 * A trainer in a container of its own. The supervisor is the container's first process: what it starts cannot end it, and is gone when it ends.
 * The run folder and a folder with the session's sockets are mounted at their own paths, so that worker, supervisor and trainer speak to each other
 * as without a container.
 */
import { randomUUID } from 'node:crypto';
import { lchown, lstat, mkdir, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ContainerRecord, removeContainerRecord, writeContainerRecord } from '../container-record.ts';
import { type ContainerSettings, imageName, withLimits } from '../container-settings.ts';
import { EngineProblem } from '../engine-problem.ts';
import { grantedEnvironment } from '../program-environment.ts';
import type { ProgramEnd, RunOptions } from '../run-program.ts';
import { supervisorSocket } from '../session-sockets.ts';
import { pythonSdkFolder } from '../settings.ts';
import type { Slot } from '../slots.ts';
import { imagePython as python, type TrainerProgram } from '../trainer-catalog.ts';
import { ContainedTrainer } from './contained-trainer.ts';
import { ContainerEngine } from './container-engine.ts';
import type { Launch, LaunchedTrainer, Launcher } from './launcher.ts';

export const supervisorFolder = fileURLToPath(new URL('../supervisor', import.meta.url));
/** Where a trainer has what is to outlive its session: caches of frameworks, indexes of data sets, bytecode. */
const cacheInside = '/var/cache/epochal';
const launchInside = '/run/epochal-launch.json';
const home = '/tmp';
const startedWithinMs = 60_000;
const lookEvery = 250;

export class ContainerLauncher implements Omit<Launcher, 'find'> {
  readonly settings: ContainerSettings;
  readonly #engine: ContainerEngine;
  readonly #host: string;
  readonly #cacheFolder: string;
  /** Names of containers that may be there though nobody wants them: the engine could not be asked. */
  readonly #uncertain = new Set<string>();

  /** `host`: this one's id, by which its containers are found. */
  constructor(settings: ContainerSettings, { host, cacheFolder }: { host: string; cacheFolder: string }) {
    this.settings = settings;
    this.#engine = new ContainerEngine(settings.engine);
    this.#host = host;
    this.#cacheFolder = cacheFolder;
  }

  async start(slot: Slot, launch: Launch): Promise<LaunchedTrainer> {
    const { folder, session, socket, program, image } = launch;
    if (image === null) throw new Error('a container without an image');
    const user = this.#userOf(slot);
    const name = `epochal-${session.replaceAll('-', '').slice(0, 20)}`;
    const startedAt = new Date().toISOString();
    const record: ContainerRecord = {
      ...{ session, engine: this.#engine.program, name, socket, slot: slot.index, startedAt },
    };
    await writeContainerRecord(folder, record);
    // An attempt before may have made it, and not have heard of it.
    if (this.#uncertain.delete(name)) await this.#remove(name);
    const launchFile = `${folder.container}.launch`;
    await writeFile(launchFile, JSON.stringify(this.#asked(launch, slot, startedAt)), { mode: 0o600 });
    // Of one session at a time: it is given to its user by name, which no other may change meanwhile.
    const cache = join(this.#cacheFolder, 'containers', program.name, String(slot.index));
    await mkdir(cache, { recursive: true });
    await this.#giveTo(user, [folder.path, dirname(socket), launchFile, cache]);
    let trainer: ContainedTrainer | null = null;
    try {
      await this.#engine.run([
        ...['--name', name, '--label', labelOf(this.#host), '--label', `epochal.session=${session}`],
        ...['--label', `epochal.image=${image.name}`],
        ...this.#limits(user, launch.devices.gpus, withLimits(this.settings, launch.limitsAsked)),
        // By mounts of their own, so that no trainer can put a link in the place of one: the worker writes there, and removes.
        ...[folder.path, folder.checkpoints, folder.artifacts, folder.logs].flatMap((path) => bindMount(path, true)),
        // What the worker goes by stays the worker's, though the folder is the trainer's.
        ...[folder.session, folder.config, folder.materials].flatMap((file) => bindMount(file, false)),
        ...bindMount(dirname(socket), true),
        ...bindMount(launchFile, false, launchInside),
        ...bindMount(cache, true, cacheInside),
        ...(await this.#code(program)),
        ...(await this.#reads(launch.reads)),
        ...['--entrypoint', python, image.id, '-I', '-S', '-B', supervisorFolder, launchInside],
      ]);
      trainer = new ContainedTrainer(this.#engine, folder, record);
      await this.#started(name, trainer);
      return trainer;
    } catch (error) {
      trainer?.leave();
      await this.#remove(name)
        .then(() => removeContainerRecord(folder, session))
        .catch(() => undefined);
      throw error;
    } finally {
      await rm(launchFile, { force: true });
    }
  }

  /** Throws EngineProblem unless it is gone: then it is asked again where it is made again. */
  async #remove(name: string): Promise<void> {
    this.#uncertain.add(name);
    await this.#engine.remove(name);
    this.#uncertain.delete(name);
  }

  /** That a session runs in which nobody has chosen one for; null: in none. */
  imageForAll({ name }: Pick<TrainerProgram, 'name'>): string | null {
    return this.settings.isForAll ? imageName(this.settings.image, name) : null;
  }

  /** A question to a trainer's program: in a container, too, without network, that reads `reads` and writes nowhere. */
  async ask(
    program: TrainerProgram,
    image: string,
    verb: readonly string[],
    reads: readonly string[],
    options: RunOptions,
  ): Promise<ProgramEnd> {
    const name = `epochal-asked-${randomUUID().slice(0, 12)}`;
    try {
      const ended = await this.#engine.call(await this.#question(program, image, verb, name, reads), options);
      // The engine's own word: the program was not started.
      if (ended.code === 125) throw this.#engine.problem('run', ended);
      return ended;
    } finally {
      // Where it took too long, or nobody waits for it any more, the command line alone was ended.
      await this.#engine.remove(name).catch(() => undefined);
    }
  }

  async #question(
    program: TrainerProgram,
    image: string,
    verb: readonly string[],
    name: string,
    reads: readonly string[],
  ): Promise<string[]> {
    const environment = Object.entries(this.#environment()).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    return [
      ...['run', '--rm', '--interactive', '--pull', 'never', '--name', name, '--label', labelOf(this.#host)],
      ...this.#limits(this.#userOf({ index: 0 }), [], this.settings),
      ...(await this.#code(program)),
      ...(await this.#reads(reads)),
      ...environment,
      ...['--entrypoint', python, image, program.file, ...verb],
    ];
  }

  get engine(): ContainerEngine {
    return this.#engine;
  }

  /** Removes what sessions of this host have left that nobody knows of any more. `known`: names of those that are taken up or are to be ended. */
  async sweep(known: ReadonlySet<string>): Promise<string[]> {
    const left = (await this.#engine.labelled(labelOf(this.#host))).filter((name) => !known.has(name));
    for (const name of left) await this.#engine.remove(name);
    return left;
  }

  /** Resolves once there is a trainer. */
  async #started(name: string, trainer: ContainedTrainer): Promise<void> {
    const limit = performance.now() + startedWithinMs;
    for (;;) {
      const started = await Promise.race([trainer.started.then(() => true), delay(lookEvery, false)]);
      if (started) return;
      const state = await this.#engine.state(name);
      if (state?.isRunning && performance.now() < limit) continue;
      const said = (await this.#engine.output(name)).slice(0, 1000);
      // It has ended before anybody could listen: its end is on disk.
      if (/^\{"pid": \d+/.test(said)) return;
      throw new EngineProblem(`the trainer could not be started in its container: ${said || 'it says nothing'}`, false);
    }
  }

  /** Its own numbers of the devices are those of the container, so that the environment need not tell of them. */
  #asked({ folder, session, socket, program, limits, environment }: Launch, slot: Slot, startedAt: string): object {
    const { stopSeconds, terminateSeconds, reattachSeconds } = limits;
    return {
      ...{ session, folder: folder.path, events: folder.events, log: folder.trainerLog },
      command: [python, program.file, 'train'],
      cwd: folder.artifacts,
      inherits: true,
      environment: {
        ...this.#environment(),
        ...environment,
        EPOCHAL_SESSION: folder.session,
        EPOCHAL_SESSION_ID: session,
      },
      socket: supervisorSocket(socket),
      about: { slot: slot.index, startedAt },
      ...{ reattachSeconds, stopSeconds, terminateSeconds },
    };
  }

  /** Nothing of the worker's but what EPOCHAL_TRAINER_ENV names. */
  #environment(): Record<string, string> {
    return {
      ...(grantedEnvironment() as Record<string, string>),
      ...{ HOME: home, LANG: 'C.UTF-8', XDG_CACHE_HOME: cacheInside, EPOCHAL_CACHE_DIR: cacheInside },
      ...{ PYTHONPATH: pythonSdkFolder, PYTHONPYCACHEPREFIX: join(cacheInside, 'bytecode') },
      ...{ PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '' },
    };
  }

  #limits(user: number | null, gpus: readonly number[], settings: ContainerSettings): string[] {
    const { network, memoryBytes, cpus, processes, shmBytes, diskBytes } = settings;
    const own = `${user ?? process.getuid?.() ?? 0}:${user ?? process.getgid?.() ?? 0}`;
    return [
      // Without root Podman has numbers of users of its own: this worker's is then its root's.
      ...(this.#engine.program === 'podman' && user === null ? ['--userns', 'keep-id'] : []),
      ...['--network', network, '--user', own, '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
      ...['--read-only', '--tmpfs', `${home}:rw,nosuid,nodev,size=${shmBytes}`, '--shm-size', String(shmBytes)],
      ...['--pids-limit', String(processes), '--log-opt', 'max-size=1m', '--workdir', '/'],
      ...(memoryBytes === null ? [] : ['--memory', String(memoryBytes), '--memory-swap', String(memoryBytes)]),
      ...(cpus === null ? [] : ['--cpus', String(cpus)]),
      // Of one file, also of one that has no name any more.
      ...(diskBytes === null ? [] : ['--ulimit', `fsize=${diskBytes}`]),
      ...(gpus.length === 0 ? [] : ['--gpus', `"device=${gpus.join(',')}"`]),
    ];
  }

  async #code({ file }: TrainerProgram): Promise<string[]> {
    const folders = [...new Set([supervisorFolder, pythonSdkFolder, dirname(file)])];
    return folders.flatMap((folder) => bindMount(folder, false));
  }

  /** Paths that are there, and what links lead to. */
  async #reads(paths: readonly string[]): Promise<string[]> {
    const { shared } = this.settings;
    const found = new Set<string>();
    for (const path of paths) {
      const real = await realpath(path).catch(() => null);
      if (real !== null && !isShared(shared, path)) found.add(path);
    }
    return [
      ...[...found].flatMap((path) => bindMount(path, false)),
      ...shared.flatMap(({ path, writable }) => bindMount(path, writable)),
    ];
  }

  #userOf({ index }: Slot): number | null {
    const { user } = this.settings;
    return user === null ? null : user + index;
  }

  /** The files of its run are its own: it writes nothing that its worker would have to be asked for. */
  async #giveTo(user: number | null, paths: readonly string[]): Promise<void> {
    if (user === null) return;
    for (const path of paths) await give(path, user);
  }
}

const labelOf = (host: string) => `epochal.host=${host}`;

const isShared = (shared: ContainerSettings['shared'], path: string) =>
  shared.some((one) => path === one.path || path.startsWith(`${one.path}/`));

export const bindMount = (path: string, writable: boolean, inside = path): string[] => [
  '--mount',
  `type=bind,${csv(`source=${path}`)},${csv(`target=${inside}`)}${writable ? '' : ',readonly'}`,
];

/** Engines read the mount as a line of CSV. */
const csv = (field: string) => `"${field.replaceAll('"', '""')}"`;

/** With all that is in it; no link is followed. */
async function give(path: string, user: number): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (!found) return;
  if (found.uid !== user || found.gid !== user) await lchown(path, user, user);
  if (!found.isDirectory()) return;
  for (const entry of await readdir(path)) await give(join(path, entry), user);
}
