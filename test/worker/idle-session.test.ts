import pino from 'pino';
import { expect, it } from 'vitest';
import { endWhenIdle, type IdleParts } from '../../worker/idle-session.ts';
import type { LiveSession } from '../../worker/session.ts';

const serverIsGone = 'no server serves workflows';

/** A session that nobody speaks to, until it is ended or `looks` looks have left it alone. */
function afterLooks(looks: number, own: Partial<IdleParts['runs']>) {
  let isOver = false;
  let touches = 0;
  const end = () => {
    isOver = true;
  };
  const session = {
    ...{ run: 'a', id: 's', isLeft: false, isAbandoned: false, log: pino({ level: 'silent' }) },
    config: { deadlines: { stopSeconds: 1, terminateSeconds: 1 } },
    over: new Promise<void>(() => undefined),
    get isOver() {
      return isOver;
    },
    idleMs: 10_000,
    ending: { ask: end, terminate: end, kill: end, ends: async () => isOver },
    touch() {
      touches += 1;
      if (touches === looks) end();
    },
  };
  const runs = {
    ...{ waitsForHost: async () => false, hasAnotherSession: async () => false, tellFound: async () => undefined },
    whyUnserved: async () => null,
    ...own,
  };
  const ended = endWhenIdle(session as unknown as LiveSession, { runs, sessionIdleSeconds: 0.01 }, async () => isOver);
  return { ended, session, touches: () => touches };
}

it('is left alone for as long as nobody serves workflows: its run cannot ask', async () => {
  const { ended, session, touches } = afterLooks(5, { whyUnserved: async () => serverIsGone });
  await ended;
  expect(session.isAbandoned).toBe(false);
  expect(touches()).toBe(5);
});

it.each([
  ['somebody serves them', async () => null],
  ['nobody can tell', () => Promise.reject(new Error('Temporal does not answer'))],
])('is ended where %s', async (_, whyUnserved) => {
  const { session } = afterLooks(1, { whyUnserved });
  await expect.poll(() => session.isAbandoned).toBe(true);
});

it('is ended where its run has another session, whoever serves', async () => {
  const { session } = afterLooks(1, {
    hasAnotherSession: async () => true,
    whyUnserved: async () => serverIsGone,
  });
  await expect.poll(() => session.isAbandoned).toBe(true);
});
