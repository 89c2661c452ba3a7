/** Trainers in containers, started as a worker starts them: a Python program of the test's own, in a run folder of its own. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readContainerRecord } from '../../worker/container-record.ts';
import { type ContainerSettings, containerVariables, readContainers } from '../../worker/container-settings.ts';
import { ContainerLauncher } from '../../worker/launchers/container.ts';
import { ContainerEngine } from '../../worker/launchers/container-engine.ts';
import type { LaunchedTrainer } from '../../worker/launchers/launcher.ts';
import { type RunFolder, RunFolders } from '../../worker/run-folders.ts';
import { SessionSockets } from '../../worker/session-sockets.ts';
import { buildImage } from '../../worker/trainer-images.ts';

const counter = fileURLToPath(new URL('../trainers/counter.py', import.meta.url));

/** `podman`: also that one does what a worker asks. */
export const testEngine = process.env.EPOCHAL_TEST_ENGINE ?? 'docker';

/** With what the counting trainer needs. `EPOCHAL_TEST_BASE_IMAGE`: another one with Python to make it from. */
export const counterImage = 'epochal-trainer-counter';
export const baseImage = process.env.EPOCHAL_TEST_BASE_IMAGE ?? 'python:3.11-slim-bookworm';

export async function makeCounterImage(): Promise<void> {
  const engine = new ContainerEngine(testEngine);
  if ((await engine.imageId(counterImage)) !== null) return;
  await buildImage({ engine, program: { name: 'counter', file: counter }, base: baseImage, tag: counterImage });
}

/** However long the next worker takes to come on a busy machine. */
const inTime = 600;

export interface Started {
  folder: RunFolder;
  trainer: LaunchedTrainer;
  session: string;
  socket: string;
  /** What it has written so far. */
  log: () => Promise<string>;
}

/** A host of its own: a data folder, and containers that carry its label. */
export class ContainedHost {
  readonly engine = new ContainerEngine(testEngine);
  readonly launcher: ContainerLauncher;

  private constructor(
    readonly folder: string,
    readonly settings: ContainerSettings,
  ) {
    this.launcher = new ContainerLauncher(settings, { host: this.id, cacheFolder: join(folder, 'cache') });
  }

  static async make(variables: Record<string, string> = {}): Promise<ContainedHost> {
    const engine = { EPOCHAL_LAUNCHER: 'container', EPOCHAL_CONTAINER_ENGINE: testEngine };
    const given = { ...engine, EPOCHAL_CONTAINER_IMAGE: counterImage, ...variables };
    const settings = readContainers(z.object(containerVariables).parse({ EPOCHAL_CONTAINER_SHM_GB: '0.5', ...given }));
    return new ContainedHost(await mkdtemp(join(tmpdir(), 'epochal-contained-')), settings);
  }

  get id(): string {
    return `host-${this.folder.split('-').at(-1)}`;
  }

  get folders(): RunFolders {
    return new RunFolders(join(this.folder, 'data'));
  }

  /** Returns once it was started. */
  async start(program: string, { reattachSeconds = inTime, slot = 0, reads = [] as string[] } = {}): Promise<Started> {
    const session = randomUUID();
    const name = `run-${session.slice(0, 8)}`;
    const folder = await this.folders.make(name);
    for (const file of [folder.config, folder.materials]) await writeFile(file, '{}');
    await writeFile(folder.events, '');
    const code = join(this.folder, 'trainers', name);
    await mkdir(code, { recursive: true });
    const file = join(code, 'trainer.py');
    await writeFile(file, program);
    const socket = await new SessionSockets(this.folders.dataFolder).pathOf(session, true);
    await writeFile(folder.session, JSON.stringify({ session, socket }), { mode: 0o600 });
    const limits = { reattachSeconds, stopSeconds: 0.5, terminateSeconds: 0.5 };
    const image = { name: this.settings.image, id: this.settings.image };
    const launch = { program: { name, file }, image, python: 'python3', folder, session, socket, limits };
    const devices = { gpus: [], environment: {} };
    const trainer = await this.launcher.start({ index: slot }, { ...launch, environment: {}, devices, reads });
    return { folder, trainer, session, socket, log: () => readFile(folder.trainerLog, 'utf8') };
  }

  /** Runs it to its end, and answers what it has written. */
  async run(program: string, options: { reads?: string[] } = {}): Promise<string> {
    const { trainer, log } = await this.start(program, options);
    await trainer.exited;
    await trainer.endLeftovers(AbortSignal.abort());
    await trainer.dismiss();
    return log();
  }

  /** Of the session of this folder, in the engine. */
  async containerOf(folder: RunFolder): Promise<string> {
    const record = await readContainerRecord(folder);
    if (!record) throw new Error(`no container of ${folder.place}`);
    return record.name;
  }

  async close(): Promise<void> {
    await this.launcher.sweep(new Set());
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
