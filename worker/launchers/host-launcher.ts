/** How this host starts trainers; those that are there already are found in the way that they were started in, whatever the settings say now. */
import { type ContainerRecord, readContainerRecord } from '../container-record.ts';
import { EngineProblem } from '../engine-problem.ts';
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
  const isAlive = async () => {
    try {
      return (await new ContainerEngine(record.engine).state(record.name))?.isRunning ?? false;
    } catch (error) {
      // An engine that does not answer cannot say that it has ended.
      if (error instanceof EngineProblem) return true;
      throw error;
    }
  };
  return { record, isAlive };
}

/** `containers`: null where this host has none. */
export const hostLauncher = (containers: Omit<Launcher, 'find'> | null): Launcher => ({
  find: findTrainer,
  start: (slot, launch) => {
    if (launch.image === null) return processLauncher.start(slot, launch);
    if (containers === null) throw new Error(`this host runs no trainer in a container: ${launch.image.name}`);
    return containers.start(slot, launch);
  },
});
