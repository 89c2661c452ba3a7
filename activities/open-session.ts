/** Takes a slot, starts or finds the trainer, and answers when it is ready. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { isForAnotherHost } from '../contracts/failure.ts';
import { noFreeSlotType, type OpenedSession, type OpenSessionInput } from '../contracts/run-activities.ts';
import { ContinueFromProblem } from '../worker/continue-from.ts';
import type { Host } from '../worker/host.ts';
import { SessionProblem } from '../worker/session-start.ts';
import { NoFreeSlot } from '../worker/sessions.ts';
import { sessionFailed, withStore, working } from './activity-support.ts';

/** In seconds. */
const noticedWait = 3;

/** `byPermit`: this is the pool's queue, polled only while a slot is free. */
export const openSession =
  (host: Host, byPermit: boolean) =>
  (input: OpenSessionInput): Promise<OpenedSession> =>
    working('open a session', async (signal, progress) => {
      const { scheduledTimestampMs, attempt } = Context.current().info;
      const waited = Math.round((Date.now() - scheduledTimestampMs) / 1000);
      if (byPermit && waited >= noticedWait) host.log.info({ run: input.run }, `it waited ${waited} s for a free slot`);
      if (byPermit && attempt === 1) host.metrics.waited((Date.now() - scheduledTimestampMs) / 1000);
      try {
        // An attempt that the server gave up may still be opening here: two trainers must not meet in one folder.
        return await host.openings.runExclusive(input.place, signal, () =>
          withStore(() =>
            host.sessions.open(input, {
              byPermit,
              signal,
              onProgress: (doing, counted) => Object.assign(progress, { doing, counted }),
            }),
          ),
        );
      } catch (error) {
        if (error instanceof NoFreeSlot) {
          throw ApplicationFailure.create({ type: noFreeSlotType, message: error.message, nonRetryable: true });
        }
        const nothing = { preempted: false, report: null, reached: null, host: host.id };
        if (error instanceof SessionProblem) {
          // A host that lacks what the run needs is not where its files are: nothing is to be published from there.
          const { host: at, ...noHost } = nothing;
          const where = isForAnotherHost(error.failure) ? noHost : { ...noHost, host: at };
          throw sessionFailed({ ...where, failure: error.failure });
        }
        if (error instanceof ContinueFromProblem) {
          throw sessionFailed({ ...nothing, failure: { kind: 'setUp', message: error.message } });
        }
        throw error;
      }
    });
