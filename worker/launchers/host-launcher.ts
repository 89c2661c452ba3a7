/** How this host starts trainers; those that are there already are found in the way that they were started in, whatever the settings say now. */
import { type ContainerRecord, readContainerRecord } from '../container-record.ts';
import type { RunFolder } from '../run-folders.ts';
import { ContainedTrainer } from './contained-trainer.ts';
import { ContainerEngine } from './container-engine.ts';
import type { LaunchedBefore, LaunchedTrainer, Launcher } from './launcher.ts';
import { processLauncher } from './process.ts';

export const findTrainer = (launched: LaunchedBefore): LaunchedTrainer =>
  launched.container ? containedTrainer(launched.folder, launched.container) : processLauncher.find(launched);

export const containedTrainer = (folder: RunFolder, record: ContainerRecord): ContainedTrainer =>
  new ContainedTrainer(new ContainerEngine(record.engine), folder, record);

/** Null where the last session of this folder was in none, or has been seen to its end. */
export async function leftContainer(
  folder: RunFolder,
): Promise<{ record: ContainerRecord; isAlive: () => Promise<boolean> } | null> {
  const record = await readContainerRecord(folder);
  if (!record) return null;
  const isAlive = async () => (await new ContainerEngine(record.engine).state(record.name))?.isRunning ?? false;
  return { record, isAlive };
}

/** `containers`: null where sessions are processes. */
export const hostLauncher = (containers: Omit<Launcher, 'find'> | null): Launcher => ({
  ...{ isContained: containers?.isContained ?? false, find: findTrainer },
  start: (slot, launch) => (containers ?? processLauncher).start(slot, launch),
});
