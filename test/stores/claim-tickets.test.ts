/** Of several who claim at once one does, in whatever order the steps of their tries are carried out. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { ClaimTickets, type Tickets } from '../../stores/claim-tickets.ts';

/** Numbers from 0 to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** A place that takes every write, and carries out the steps that were asked for in an order of its own. */
class Place {
  readonly tickets = new Map<string, Date>();
  readonly writers: string[] = [];
  /** Milliseconds. */
  time = 1_000_000;
  readonly #asked: { by: string; run: () => void }[] = [];
  #isPumping = false;
  #last = '';

  constructor(
    readonly random: () => number,
    /** How many of the steps are done without an answer. */
    readonly lost = 0,
    /** How often the same one goes on, as where the others are held up: what goes wrong does so by that. */
    readonly burst = 0,
  ) {}

  owner(): string {
    return Array.from({ length: 36 }, () => Math.floor(this.random() * 16).toString(16)).join('');
  }

  step<T>(by: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = () => {
        const done = work();
        if (this.random() < this.lost) reject(new Error('the answer was lost'));
        else resolve(done);
      };
      this.#asked.push({ by, run });
      if (!this.#isPumping) setImmediate(() => this.#pump());
      this.#isPumping = true;
    });
  }

  #pump(): void {
    const ofLast = this.#asked.findIndex(({ by }) => by === this.#last);
    const isOfLast = ofLast >= 0 && this.random() < this.burst;
    const [next] = this.#asked.splice(isOfLast ? ofLast : Math.floor(this.random() * this.#asked.length), 1);
    this.#last = next?.by ?? '';
    next?.run();
    // What comes of it is asked for by then.
    setImmediate(() => {
      this.#isPumping = this.#asked.length > 0;
      if (this.#isPumping) this.#pump();
    });
  }

  seen(by: string): Tickets {
    // Two pages, which are not of one moment.
    const page = (isNumbers: boolean) =>
      this.step(by, () =>
        [...this.tickets].flatMap(([name, writtenAt]) => (/^\d/.test(name) === isNumbers ? [{ name, writtenAt }] : [])),
      );
    return {
      list: async () => {
        const isFirst = this.random() < 0.5;
        return [...(await page(isFirst)), ...(await page(!isFirst))];
      },
      write: (name) => this.step(by, () => void this.tickets.set(name, new Date(this.time))),
      remove: (name) => this.step(by, () => void this.tickets.delete(name)),
      isTaken: () => this.step(by, () => this.writers.length > 0),
      now: () => this.time,
    };
  }

  /** Tries again what fails, as stores do. */
  async claim(owner: string = this.owner()): Promise<boolean> {
    const claims = new ClaimTickets();
    for (;;) {
      try {
        const work = () => this.step(owner, () => this.writers.push(owner));
        return (await claims.first(this.seen(owner), owner, work, { pollMs: 0, staleMs: 60_000 })) !== null;
      } catch (error) {
        if (!(error instanceof Error) || error.message !== 'the answer was lost') throw error;
      }
    }
  }
}

it.each([0, 0.1])('one of several, in 500 orders, where %d of the answers are lost', async (lost) => {
  for (let seed = 1; seed <= 500; seed += 1) {
    const place = new Place(seeded(seed), lost, [0, 0.6, 0.85, 0.95][seed % 4]);
    const owners = Array.from({ length: 2 + (seed % 3) }, () => place.owner());
    const claims = owners.map((owner) => place.claim(owner));
    const succeeded = (await Promise.all(claims)).flatMap((isHis, index) => (isHis ? [owners[index]] : []));
    expect(succeeded, `seed ${seed}`).toHaveLength(1);
    expect([...new Set(place.writers)], `seed ${seed}`).toEqual(succeeded);
    expect(await place.claim(), `seed ${seed}`).toBe(false);
    if (lost === 0) expect([...place.tickets.keys()], `seed ${seed}`).toEqual([]);
  }
});

it('is his who drew first', async () => {
  const place = new Place(seeded(1));
  const first = randomUUID();
  place.tickets.set(`0000000005-${first}`, new Date(place.time));
  const late = place.claim();
  await expect.poll(() => [...place.tickets.keys()].some((name) => name.startsWith('0000000006-'))).toBe(true);
  place.writers.push(first);
  expect(await late).toBe(false);
  expect(place.writers).toEqual([first]);
});

it.each(['choosing', '0000000001'])(
  'waits for one who is %s, and no longer once he is gone for minutes',
  async (name) => {
    const place = new Place(seeded(1));
    const gone = `${name}-${randomUUID()}`;
    place.tickets.set(gone, new Date(place.time));
    const claim = place.claim();
    await expect.poll(() => place.tickets.size).toBe(2);
    for (let steps = 0; steps < 100; steps += 1) await place.step('', () => expect(place.writers).toEqual([]));
    place.time += 60_001;
    expect(await claim).toBe(true);
    expect([...place.tickets.keys()]).toEqual([]);
  },
);

it('looks again before he writes: a list of two pages may have missed a number that was drawn while it was read', async () => {
  const [first, second] = ['0'.repeat(36), 'f'.repeat(36)];
  const written = (...owners: string[]) => owners.map((owner) => ({ name: `0000000001-${owner}`, writtenAt: null }));
  const lists = [[], written(second), written(second, first), written(second, first)];
  const tickets: Tickets = {
    list: async () => lists.shift() ?? written(second),
    write: async () => undefined,
    // Nobody knows since when the other one is there: he is not given up at once.
    remove: async (name) => expect(name).toContain(second),
    isTaken: async () => lists.length === 0,
    now: () => 1e12,
  };
  const work = async () => expect.fail('he wrote before the other one');
  expect(await new ClaimTickets().first(tickets, second, work, { pollMs: 0 })).toBeNull();
});

it('who was given up while he waited draws again', async () => {
  const place = new Place(seeded(1));
  const before = `0000000001-${randomUUID()}`;
  place.tickets.set(before, new Date(place.time));
  const claim = place.claim();
  await expect.poll(() => place.tickets.size).toBe(2);
  for (const name of place.tickets.keys()) if (name !== before) place.tickets.delete(name);
  await expect.poll(() => [...place.tickets.keys()].at(-1)).toMatch(/^0000000002-/);
  place.tickets.delete(before);
  expect(await claim).toBe(true);
  expect(place.writers).toHaveLength(1);
});

it('that is given up by the one who asked for it ends with his reason', async () => {
  const place = new Place(seeded(1));
  place.tickets.set(`0000000001-${randomUUID()}`, new Date(place.time));
  const [controller, reason] = [new AbortController(), new Error('enough')];
  const claim = new ClaimTickets().first(place.seen(''), randomUUID(), async () => true, { signal: controller.signal });
  await expect.poll(() => place.tickets.size).toBe(2);
  controller.abort(reason);
  await expect(claim).rejects.toBe(reason);
  expect(place.writers).toEqual([]);
});
