/** Where trainers run: how one is started, signalled, and seen to have ended. One file beside this is one way. */

import type { Limits } from '../../contracts/run-container.ts';
import type { ContainerRecord } from '../container-record.ts';
import type { EndLimits } from '../end-trainer.ts';
import type { ProcessFile, TrainerEnd } from '../process-file.ts';
import type { ProcessIdentity } from '../process-groups.ts';
import type { RunFolder } from '../run-folders.ts';
import type { Slot } from '../slots.ts';
import type { TrainerProgram } from '../trainer-catalog.ts';

/** What a trainer is started with. */
export interface Launch {
  program: TrainerProgram;
  /** That it runs in, in a container; null: it is a process of this host. A name may be another image's by now. */
  image: { name: string; id: string } | null;
  /** Of its container, in place of those of the host's settings. */
  limitsAsked?: Limits | undefined;
  /** Its interpreter: in a container that of the image. */
  python: string;
  folder: RunFolder;
  session: string;
  /** Where the trainer will listen. */
  socket: string;
  /** Of a trainer that no worker is connected to: `reattachSeconds`, and then these. */
  limits: EndLimits & { reattachSeconds: number };
  /** Besides that of every trainer: the trace that it joins. */
  environment: NodeJS.ProcessEnv;
  /** What it may read besides its run folder, where it does not see the whole host: its data set, and paths among its parameters. */
  reads: readonly string[];
  /** Its own: by their indexes, and as an environment for who sees all of the host. */
  devices: { gpus: readonly number[]; environment: NodeJS.ProcessEnv };
}

/** A trainer that an earlier worker started, by what it left in the run folder. */
export type LaunchedBefore = { folder: RunFolder; socket: string } & (
  | { file: ProcessFile; container?: undefined }
  | { container: ContainerRecord; file?: undefined }
);

export interface Launcher {
  /** In a slot that is the caller's, who gives it back. Throws when the program cannot be started at all. */
  start(slot: Slot, launch: Launch): Promise<LaunchedTrainer>;
  /** Also where it has ended meanwhile: then `exited` tells how. */
  find(launched: LaunchedBefore): LaunchedTrainer;
}

/** `trainer`: it alone, which ends its own children in its own way; `group`: every process that it started and that stayed with it. */
export type Recipient = 'trainer' | 'group';

export interface LaunchedTrainer {
  /** The trainer's own process, which leads the group, as this host sees it; null where it cannot. */
  readonly identity: ProcessIdentity | null;
  /** Resolves when the trainer itself has ended; others of its group may still be alive. Null: nobody saw how. */
  readonly exited: Promise<TrainerEnd | null>;
  /** Nobody may be there any more: that is no error. */
  signal(signal: NodeJS.Signals, to: Recipient): void;
  /** Whether anyone of its group is. */
  alive(): Promise<boolean>;
  /** Once it has ended: whoever is left of what it started when `patience` is over is killed, and a note of the session names who left its group. */
  endLeftovers(patience: AbortSignal): Promise<void>;
  /** Its end was seen, and nothing of it is left: whoever watches over it may go. Resolves once nobody does. */
  dismiss(): Promise<void>;
  /** This worker goes, and the trainer stays. */
  leave(): void;
}
