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
    ...{ asksHost: async () => null, whyUnserved: async () => null },
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

/** A session of a run that is spoken to seldom; `asksHost` says what the server has given this worker, at each look. */
async function askedAgain(looks: number, asksHost: (look: number, heard: () => void) => string | null) {
  const session = { run: 'a', host: 'h', id: 's', isLeft: false, isOver: false, idleMs: 1_000 };
  const toldAt: number[] = [];
  let look = 0;
  const runs = {
    asksHost: async () => {
      look++;
      const heard = () => {
        session.idleMs = 0;
      };
      const asked = asksHost(look, heard);
      session.isOver = look >= looks;
      return asked;
    },
    tellFound: async () => void toldAt.push(look),
  };
  const given = { ...session, log: pino({ level: 'silent' }), over: new Promise<void>(() => undefined) };
  Object.defineProperties(given, {
    isOver: { get: () => session.isOver },
    idleMs: { get: () => session.idleMs },
  });
  const parts = { runs, sessionIdleSeconds: 0.01 } as unknown as IdleParts;
  await endWhenIdle(given as unknown as LiveSession, parts, async () => false);
  return toldAt;
}

it('has its run ask again what was lost on its way to this worker, once two looks found it', async () => {
  expect(await askedAgain(2, () => 'execution activity 1')).toEqual([2]);
  // Each time that it is lost.
  expect(await askedAgain(6, (look) => `execution activity ${Math.ceil(look / 2)}`)).toEqual([2, 4, 6]);
});

it('leaves alone what is on its way, and what it hears of while it looks', async () => {
  expect(await askedAgain(6, () => null)).toEqual([]);
  expect(await askedAgain(6, (look) => `execution activity ${look}`)).toEqual([]);
  const heardOf = await askedAgain(2, (look, heard) => {
    if (look === 2) heard();
    return 'execution activity 1';
  });
  expect(heardOf).toEqual([]);
});
