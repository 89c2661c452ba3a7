/** What the doctor says where trainers run in containers: whether their engine answers, has their images, and finds this worker's folders. */
import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256Hex } from '../stores/sha256.ts';
import { EngineProblem } from '../worker/engine-problem.ts';
import { bindMount, type ContainerLauncher, supervisorFolder } from '../worker/launchers/container.ts';
import type { ContainerEngine } from '../worker/launchers/container-engine.ts';
import { pythonSdkFolder, type WorkerSettings } from '../worker/settings.ts';
import type { TrainerProgram } from '../worker/trainer-catalog.ts';
import type { Finding } from './finding.ts';

/** Of a trainer that runs in one. */
export interface TrainerImage {
  program: TrainerProgram;
  image: string;
}

/** `trainers`: those that run in containers, at least one. */
export async function examineContainers(
  { dataFolder, cacheFolder }: Pick<WorkerSettings, 'dataFolder' | 'cacheFolder'>,
  { engine, settings }: Pick<ContainerLauncher, 'engine' | 'settings'>,
  trainers: readonly TrainerImage[],
): Promise<Finding[]> {
  const what = 'container engine';
  try {
    await engine.reach();
    const images = await Promise.all(
      trainers.map(async (one) => ({ ...one, isThere: (await engine.imageId(one.image)) !== null })),
    );
    const findings: Finding[] = [
      { what, status: 'ok', detail: `${engine.program} answers` },
      ...images.map(({ program, image, isThere }): Finding => {
        const trainer = `trainer ${program.name}`;
        if (isThere) return { what: trainer, status: 'ok', detail: `${engine.program} has its image, ${image}` };
        const remedy = `epochal images build ${program.name}, or have another image there that it can run in`;
        return { what: trainer, status: 'note', detail: `${engine.program} has no image ${image}`, remedy };
      }),
    ];
    const some = images.find(({ isThere }) => isThere);
    if (!some) {
      const detail = 'whether the engine finds them cannot be told before it has an image of a trainer';
      return [...findings, { what: 'folders of the worker', status: 'note', detail }];
    }
    const folders = [
      ...[dataFolder, cacheFolder].map((folder) => examineWritable(engine, some.image, folder)),
      examineFile(engine, some.image, join(pythonSdkFolder, 'pyproject.toml')),
      examineFile(engine, some.image, join(supervisorFolder, '__main__.py')),
      ...oneInEach(trainers.map(({ program }) => program.file)).map((file) => examineFile(engine, some.image, file)),
    ];
    return [...findings, ...(await Promise.all(folders)).flat()];
  } catch (error) {
    if (!(error instanceof EngineProblem)) throw error;
    const remedy = `install and start ${engine.program}, let this user call it, or do without containers (EPOCHAL_LAUNCHER)`;
    // Where only some trainers run in an image, the others need no engine.
    return [{ what, status: settings.isForAll ? 'missing' : 'note', detail: error.message, remedy }];
  }
}

const oneInEach = (files: readonly string[]) => [...new Map(files.map((file) => [dirname(file), file])).values()];

/** By a file that is there for a moment. */
async function examineWritable(engine: ContainerEngine, image: string, folder: string): Promise<Finding[]> {
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  // One that cannot be written is told of for its own sake.
  const probe = join(folder, `doctor-${randomUUID()}`);
  if (!isThere || !(await writeFile(probe, probe, { mode: 0o644 }).then(...written))) return [];
  try {
    return await examineFile(engine, image, probe);
  } finally {
    await rm(probe, { force: true });
  }
}

const written = [() => true, () => false] as const;

/** A worker in a container of its own has other folders than the engine, which mounts what its host has under the same path. Nothing where it finds the file. */
async function examineFile(engine: ContainerEngine, image: string, file: string): Promise<Finding[]> {
  const script = 'import hashlib; print(hashlib.sha256(open("/probe", "rb").read()).hexdigest())';
  const ended = await engine.call([
    ...['run', '--rm', '--pull', 'never', '--network', 'none', '--log-driver', 'none'],
    ...bindMount(file, false, '/probe'),
    ...['--entrypoint', 'python3', image, '-I', '-S', '-c', script],
  ]);
  if (ended.code === 0 && ended.stdout.trim() === sha256Hex(await readFile(file))) return [];
  const folder = dirname(file);
  const problem = ended.code === 0 ? null : engine.problem('run', ended);
  // Other codes are those of the program: what it could not do says nothing of the mount.
  if (problem && (problem.isAway || ended.code !== 125)) throw problem;
  const detail = `${folder}: ${engine.program} has ${problem ? 'none' : 'another folder'} under this path, and mounts what its own host has there${problem ? ` (${problem.message})` : ''}`;
  const remedy = `mount it into the worker's container at the path that it has on the host: --volume ${folder}:${folder}`;
  return [{ what: 'folders of the worker', status: 'missing', detail, remedy }];
}
