/** How workers of these tests start trainers: as processes, or with EPOCHAL_TEST_LAUNCHER=container in containers; and which process of this machine one is. */
import { chmod, readFile } from 'node:fs/promises';
import { readContainerRecord } from '../../worker/container-record.ts';
import { ContainerEngine } from '../../worker/launchers/container-engine.ts';
import { readProcessFile } from '../../worker/process-file.ts';
import { identify, type ProcessIdentity } from '../../worker/process-groups.ts';
import type { RunFolder } from '../../worker/run-folders.ts';

export const isContained = process.env.EPOCHAL_TEST_LAUNCHER === 'container';

/** Made by `test/containers/counter-image.ts`. */
export const testImage = process.env.EPOCHAL_TEST_IMAGE ?? 'epochal-trainer-counter';

/** `folder`: where trainers wait for their test, and write what they did. */
export const launcherVariables = (folder: string): Record<string, string> =>
  isContained
    ? {
        EPOCHAL_LAUNCHER: 'container',
        EPOCHAL_CONTAINER_IMAGE: testImage,
        EPOCHAL_CONTAINER_SHARED: `${folder}!`,
        EPOCHAL_CONTAINER_SHM_GB: '1',
      }
    : {};

/** A trainer in a container is another user. */
export async function openToTrainers(folder: string): Promise<void> {
  if (isContained) await chmod(folder, 0o777);
}

export interface SeenTrainer extends ProcessIdentity {
  session: string;
  /** As it knows itself. */
  ownPid: number;
}

/** The supervisor of the trainer that was started last for this folder, which in a container is its first process; null where it is unknown. */
export async function supervisorOf(folder: RunFolder): Promise<{ pid: number } | null> {
  const file = await readProcessFile(folder);
  if (!isContained) return file?.supervisor ?? null;
  const record = await readContainerRecord(folder);
  if (!record || record.session !== file?.session) return null;
  const pid = (await new ContainerEngine(record.engine).state(record.name))?.pid ?? 0;
  return pid === 0 ? null : { pid };
}

/** One that has ended by itself a moment ago is no error. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The trainer that was started last for this folder; null while there is none. */
export async function trainerOf(folder: RunFolder): Promise<SeenTrainer | null> {
  const file = await readProcessFile(folder);
  if (!file) return null;
  const record = await readContainerRecord(folder);
  if (!record) return isContained ? null : { ...file, ownPid: file.pid };
  if (record.session !== file.session) return null;
  const first = (await new ContainerEngine(record.engine).state(record.name))?.pid ?? 0;
  const children = await readFile(`/proc/${first}/task/${first}/children`, 'utf8').catch(() => '');
  for (const child of children.split(' ').filter(Boolean)) {
    const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
    if (!new RegExp(`^NSpid:.*\\t${file.pid}$`, 'm').test(status)) continue;
    return { ...(await identify(Number(child))), session: file.session, ownPid: file.pid };
  }
  return null;
}
