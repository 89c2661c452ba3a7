/** What a worker before this one left in a run folder: a session that trains on or has ended since, or one that is lost. */

import type { Life } from '../contracts/life.ts';
import { sessionFileSchema } from '../contracts/protocol.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { Session } from '../contracts/session.ts';
import { leftContainer } from './launchers/host-launcher.ts';
import type { LaunchedBefore } from './launchers/launcher.ts';
import { type ProcessFile, readProcessFile, readTrainerEnd } from './process-file.ts';
import { isGroupAlive } from './process-groups.ts';
import { type RunFolder, readIfThere } from './run-folders.ts';
import { parseJson, readEvents, readManifests, readRunFile } from './run-report.ts';
import type { FoundSession } from './session-progress.ts';

type StartedTrainer = Pick<ProcessFile, 'session' | 'slot' | 'startedAt'>;

export interface LeftSession {
  kind: 'found';
  folder: RunFolder;
  file: StartedTrainer;
  life: Life;
  config: RunConfig;
  socket: string;
  launched: LaunchedBefore;
  /** Whether its trainer is. */
  isAlive: boolean;
  /** Complete epochs. */
  epoch: number;
  name: Pick<Session, 'id' | 'generation'>;
  session: FoundSession;
}

/** Nobody can speak to it, or tell how it ended. */
export interface LostSession {
  kind: 'lost';
  folder: RunFolder;
  file: StartedTrainer;
  config: RunConfig | null;
}

/** Null where nothing was left, or nothing that is this worker's to deal with. */
export async function leftSession(
  folder: RunFolder,
  isForeign: (life: Life) => boolean,
): Promise<LeftSession | LostSession | null> {
  const left = await leftContainer(folder);
  const process = left ? null : await readProcessFile(folder);
  const file: StartedTrainer | undefined = left?.record ?? process ?? undefined;
  if (!file) return null;
  const run = await readRunFile(folder);
  if (run && isForeign(run.life)) return null;
  const lost: LostSession = { kind: 'lost', folder, file, config: run?.config ?? null };
  const text = await readIfThere(folder.session);
  const sessionFile = text === null ? null : parseJson(sessionFileSchema, text);
  const socket = left?.record.socket ?? sessionFile?.socket;
  if (!run || sessionFile === null || socket === undefined || sessionFile.session !== file.session) return lost;
  const isAlive = left ? await left.isAlive() : process !== null && (await isGroupAlive(process));
  if (!isAlive && (await readTrainerEnd(folder, file.session)) === null) return lost;
  const events = await readEvents(folder, file.session);
  const hello = events.find((event) => event.type === 'hello');
  const ready = events.find((event) => event.type === 'ready');
  // Whoever was waiting for one that sets up has asked in vain: it is opened again.
  if (!ready) return lost;
  const early = events.findLast((event) => event.type === 'endedEarly');
  return {
    kind: 'found',
    ...{ folder, file, life: run.life, config: run.config, socket, isAlive },
    launched: left ? { folder, socket, container: left.record } : { folder, socket, file: process as ProcessFile },
    epoch: (await readManifests(folder)).at(-1)?.epoch ?? 0,
    name: { id: file.session, generation: sessionFile.generation },
    session: {
      startedAt: file.startedAt ?? new Date(0).toISOString(),
      resumedFrom: ready.resumedFrom,
      versions: hello?.versions ?? {},
      devices: hello?.devices.map(({ name }) => name) ?? [],
      endedEarly: early ? { epoch: early.epoch, reason: early.reason } : null,
    },
  };
}
