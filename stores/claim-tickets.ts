/**
 * Who may write what is not there yet, where a provider takes every write: Lamport's bakery, with tickets as small files beside the claim. Whoever comes
 * draws a number above all that he sees, says that he is choosing meanwhile, and waits for those who are, and for lower numbers. So of
 * several the one who drew first writes, and the others see then what is there.
 *
 * It rests on lists that show what was written before them. A ticket whose owner is gone would be waited for without end: after `staleMs` it is
 * taken away. An owner who was only held up for as long, and writes then, is the race that is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Ticket {
  name: string;
  /** By the provider's clock; null where it does not say. */
  writtenAt: Date | null;
}

/** The tickets of one claim. */
export interface Tickets {
  list: () => Promise<Ticket[]>;
  write: (name: string) => Promise<void>;
  /** Not an error where there is none. */
  remove: (name: string) => Promise<void>;
  /** Whether what is claimed is there. */
  isTaken: () => Promise<boolean>;
  /** By the provider's clock. */
  now: () => number;
}

export interface ClaimOptions {
  signal?: AbortSignal | undefined;
  staleMs?: number;
  /** Between two looks at those who are waited for. */
  pollMs?: number;
}

/** Longer than a request takes that is not held up. */
const mostOfWriteMs = 120_000;

/** Of the names that tickets have. */
export const ticketPattern = /^(choosing|\d{10})-([0-9a-f-]{36})$/;

interface Own {
  /** Null while it is not known to be there. */
  ticket: string | null;
  /** Without an answer it may have been done. */
  isWritten: boolean;
}

/** Claims that failed on their way, of which this process remembers what it had begun. */
const mostRemembered = 100;

/** Draws tickets for the claims of one process. */
export class ClaimTickets {
  readonly #own = new Map<string, Own>();

  /**
   * `work` where nobody else has claimed it; null where somebody has. `owner`: a UUID for each who claims, and the same when he tries
   * again what has failed. What `tickets` and `work` throw is thrown.
   */
  async first<T>(
    tickets: Tickets,
    owner: string,
    work: () => Promise<T>,
    options: ClaimOptions = {},
  ): Promise<T | null> {
    let own = this.#own.get(owner) ?? null;
    for (;;) {
      if (!own?.ticket) {
        if (await tickets.isTaken()) return this.#end(tickets, owner, null);
        own = { ticket: null, isWritten: false };
        this.#remember(owner, own);
        own.ticket = await draw(tickets, owner);
      }
      const turn = await turnOf(tickets, owner, own.ticket, own.isWritten, options);
      if (turn === 'taken') return this.#end(tickets, owner, null);
      if (turn === 'next') break;
      own.ticket = null;
    }
    own.isWritten = true;
    return this.#end(tickets, owner, await work());
  }

  #remember(owner: string, own: Own): void {
    this.#own.set(owner, own);
    const [oldest] = this.#own.keys();
    if (this.#own.size > mostRemembered && oldest !== undefined) this.#own.delete(oldest);
  }

  async #end<T>(tickets: Tickets, owner: string, answer: T): Promise<T> {
    if (!this.#own.delete(owner)) return answer;
    try {
      for (const { name } of await tickets.list()) if (isOf(name, owner)) await tickets.remove(name);
    } catch {
      // Nobody waits for it once the claim is there, and `tidy` removes it, as what a crash leaves.
    }
    return answer;
  }
}

const isOf = (name: string, owner: string) => name.endsWith(`-${owner}`);

async function draw(tickets: Tickets, owner: string): Promise<string> {
  const choosing = `choosing-${owner}`;
  await tickets.write(choosing);
  const all = await tickets.list();
  const highest = Math.max(0, ...all.map(({ name }) => Number(ticketPattern.exec(name)?.[1]) || 0));
  // By a try before, whose answer was lost.
  const there = all.find(({ name }) => isOf(name, owner) && name !== choosing)?.name;
  const ticket = there ?? `${String(highest + 1).padStart(10, '0')}-${owner}`;
  if (there === undefined) await tickets.write(ticket);
  await tickets.remove(choosing);
  return ticket;
}

/** Waits for those who are before him. `gone`: others have given him up, and he has to draw again. */
async function turnOf(
  tickets: Tickets,
  owner: string,
  ticket: string,
  isWritten: boolean,
  { signal, staleMs = mostOfWriteMs, pollMs = 100 }: ClaimOptions,
): Promise<'next' | 'taken' | 'gone'> {
  // Where the provider tells no time, from when he is seen.
  const seen = new Map<string, number>();
  const since = ({ name, writtenAt }: Ticket) => {
    if (!seen.has(name)) seen.set(name, tickets.now());
    return writtenAt?.getTime() ?? seen.get(name) ?? 0;
  };
  for (let looks = 0; ; looks += 1) {
    const all = await tickets.list();
    if (!all.some(({ name }) => name === ticket)) return 'gone';
    // A list of several pages shows no single moment: only who is not choosing in the first one has his number in the second one.
    const before = othersBefore(all, owner, ticket);
    if (before.length === 0) before.push(...othersBefore(await tickets.list(), owner, ticket));
    // Nobody else writes while this ticket is there: what is there then is his own.
    if (!isWritten && (await tickets.isTaken())) return 'taken';
    if (before.length === 0) return 'next';
    const stale = before.filter((other) => tickets.now() - since(other) > staleMs);
    for (const { name } of stale) await tickets.remove(name);
    if (stale.length < before.length)
      await sleep(Math.min(pollMs * 1.5 ** looks, 1000), undefined, signal ? { signal } : {}).catch(() => undefined);
    signal?.throwIfAborted();
  }
}

const othersBefore = (all: readonly Ticket[], owner: string, ticket: string) =>
  all.filter(({ name }) => !isOf(name, owner) && (name.startsWith('choosing-') || name < ticket));
