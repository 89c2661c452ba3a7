/** A worker that starts: what the one before left is taken up or ended, and the runs are told either way. */
import { deadlinesSchema } from '../contracts/run-config.ts';
import { readContainerRecord } from './container-record.ts';
import { type LeftSession, type LostSession, leftSession } from './found-sessions.ts';
import type { Host } from './host.ts';
import { inGroups } from './in-groups.ts';
import { endPredecessor } from './predecessor.ts';
import { readKept } from './upkeep.ts';

/** Sessions that a worker before this one left: those that can be are taken up, as if it had opened them. */
export async function takeUpSessions(host: Host): Promise<(LeftSession | LostSession)[]> {
  const looked = await inGroups(await host.folders.list(), async (folder) => {
    if ((await readKept(folder)) !== null) return null;
    const session = await leftSession(folder, (life) => host.runs.isForeign(life));
    if (session?.kind !== 'found' || (await host.sessions.takeUp(session))) return session;
    return { ...session, kind: 'lost' as const };
  });
  const left = looked.filter((session) => session !== null);
  await host.sessions.clearSockets(left.flatMap((session) => ('socket' in session ? [session.socket] : [])));
  await sweepContainers(host);
  return left;
}

/** Those of a worker that was killed between a session's end and its removal. Sessions that can be taken up or are to be ended have a record. */
async function sweepContainers({ containers, folders, log }: Host): Promise<void> {
  if (!containers) return;
  const records = await inGroups(await folders.list(), readContainerRecord);
  const known = new Set(records.flatMap((record) => record?.name ?? []));
  // A host that has had none may have no engine, which nobody wants to hear of.
  if (known.size === 0 && !containers.settings.isForAll) return;
  const removed = await containers.sweep(known).catch((error) => log.warn({ err: error }, 'containers left behind'));
  if (removed && removed.length > 0)
    log.info({ containers: removed }, 'containers of sessions that are over are removed');
}

/**
 * Their runs need not wait for a heartbeat to be missed. One whose session is lost may resume elsewhere, so it is this worker that
 * sees to the end of what the one before started.
 */
export async function tellRun(host: Host, session: LeftSession | LostSession): Promise<void> {
  const { run } = session.folder;
  const log = host.log.child({ run });
  if (session.kind === 'found') {
    log.info(
      { session: session.file.session, isAlive: session.isAlive },
      'the session of the worker before is taken up',
    );
    return host.runs.tellFound(run, session.file.session);
  }
  await host.runs.tellLost(run, session.file.session);
  const limits = session.config?.deadlines ?? deadlinesSchema.parse({});
  void endPredecessor(session.folder, limits, new AbortController().signal, log).catch((error) =>
    log.error({ err: error }, 'the trainer of the worker before may still run'),
  );
}
