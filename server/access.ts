/**
 * Who may ask. Three checks, before anything else: the host name (a page that had its own name rebound to this address
 * is refused), the origin (a page of another site is refused), the token or the login session where a token is set.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyRequest } from 'fastify';
import { LoginSessions, sessionSeconds } from './login-sessions.ts';
import { RefusedError } from './refusals.ts';
import { isLoopback, type ServerSettings } from './settings.ts';
import { SignInCodes } from './sign-in-codes.ts';

/** Wrong tokens and codes of an address, counted. */
export interface WrongGuesses {
  /** Seconds until it may guess again, or null where it may now. */
  wait(request: FastifyRequest): Promise<number | null>;
  count(request: FastifyRequest): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null before it is known, and where nobody has to be let in. */
    principal: Principal | null;
  }
}

/** `id` tells sessions apart, and signs nobody in. */
export interface LoginSession {
  kind: 'session';
  id: string;
}

/**
 * Who asks: anyone, where no token is needed; whoever has the token; who has signed in. All of them may do everything. A scraper gets to
 * the routes that are for scrapers, and to no other.
 */
export type Principal = { kind: 'anyone' } | { kind: 'token' } | { kind: 'scraper' } | LoginSession;

export class Access {
  readonly #settings: Pick<ServerSettings, 'address' | 'hostNames' | 'tls' | 'token' | 'metricsToken'>;
  readonly #token: string | null;
  readonly #guesses: WrongGuesses;
  readonly #sessions: LoginSessions | null;
  readonly #codes: SignInCodes;
  readonly cookieName: string;

  constructor(
    settings: Pick<ServerSettings, 'address' | 'hostNames' | 'dataFolder' | 'tls' | 'token' | 'metricsToken'>,
    token: string | null,
    guesses: WrongGuesses,
  ) {
    this.#settings = settings;
    this.#token = token;
    this.#guesses = guesses;
    this.#codes = new SignInCodes(settings.dataFolder);
    this.#sessions = token === null ? null : new LoginSessions(settings.dataFolder, token);
    // A browser sends a cookie to every port of a host: servers beside each other have one each.
    this.cookieName =
      token === null
        ? 'epochal'
        : `epochal-${createHmac('sha256', token).update('cookie name').digest('hex').slice(0, 8)}`;
  }

  get tokenRequired(): boolean {
    return this.#token !== null;
  }

  /** Throws RefusedError for another host name or another origin. */
  requireSameSite({ headers, method }: Pick<FastifyRequest, 'headers' | 'method'>): void {
    const host = headers.host ?? '';
    const named = hostNameOf(host);
    if (named === null || !this.#isOurs(named)) {
      throw new RefusedError(
        'forbidden',
        `host is ${JSON.stringify(shown(host))}: this server is not known by that name; add it to EPOCHAL_SERVER_NAMES if it should be`,
      );
    }
    const { origin } = headers;
    if (origin !== undefined) {
      if (originHost(origin) !== host.toLowerCase()) {
        throw new RefusedError(
          'forbidden',
          `origin is ${JSON.stringify(shown(origin))}: only pages of this server may call it`,
        );
      }
      return;
    }
    const site = headers['sec-fetch-site'];
    // A link from elsewhere may open a page, and nothing else.
    const isNavigation = method === 'GET' && headers['sec-fetch-mode'] === 'navigate';
    if ((site === 'cross-site' || site === 'same-site') && !isNavigation) {
      throw new RefusedError('forbidden', 'only pages of this server may call it');
    }
  }

  /** Who asks; null for nobody who is let in. Throws RefusedError (`tooMany`) for a token after too many wrong ones: see `#guess`. */
  async principalOf(request: FastifyRequest, { scrapers = false } = {}): Promise<Principal | null> {
    const token = this.#token;
    if (token === null) return { kind: 'anyone' };
    const [scheme, given] = request.headers.authorization?.split(' ') ?? [];
    if (scheme?.toLowerCase() === 'bearer' && given !== undefined) {
      const { metricsToken } = this.#settings;
      if (scrapers && metricsToken !== null && isSame(given, metricsToken))
        return (await this.#guess(request, true, false)) ? { kind: 'scraper' } : null;
      return (await this.#guess(request, isSame(given, token), this.#isMade)) ? { kind: 'token' } : null;
    }
    // Nobody guesses 32 random bytes: what is wrong here is a session that has ended, and no guess.
    return this.sessionOf(request);
  }

  /** The login session of whoever asks; null without one that is good. */
  async sessionOf({ headers }: Pick<FastifyRequest, 'headers'>): Promise<LoginSession | null> {
    const id = await this.#session(headers.cookie);
    return id === null ? null : { kind: 'session', id: createHash('sha256').update(id).digest('hex') };
  }

  async #session(cookie: string | undefined): Promise<string | null> {
    const id = this.#cookieOf(cookie);
    return id !== null && this.#sessions !== null && (await this.#sessions.has(id)) ? id : null;
  }

  /** For `Set-Cookie`, or null where no token is asked for. Throws RefusedError. */
  async enter(
    request: FastifyRequest,
    { token, code }: { token?: string | undefined; code?: string | undefined },
  ): Promise<string | null> {
    const expected = this.#token;
    if (expected === null || this.#sessions === null) return null;
    const isRight =
      token !== undefined
        ? await this.#guess(request, isSame(token, expected), this.#isMade)
        : await this.#guess(request, code !== undefined && (await this.#codes.use(code)), true);
    if (!isRight) {
      const wrong = token === undefined ? 'the code is wrong, or was used before' : 'the token is wrong';
      throw new RefusedError('unauthorized', wrong);
    }
    return this.#cookie(request, await this.#sessions.open(), sessionSeconds);
  }

  /** Ends the login session, wherever its cookie is; answers what takes the cookie away. */
  async leave(request: FastifyRequest): Promise<string> {
    const id = this.#cookieOf(request.headers.cookie);
    if (id !== null) await this.#sessions?.close(id);
    return this.#cookie(request, '', 0);
  }

  /** Signs in once, as part of an address; null where no token is asked for. */
  async signInCode(): Promise<string | null> {
    return this.#token === null ? null : this.#codes.make();
  }

  /** One that the server made: 32 random bytes. */
  get #isMade(): boolean {
    return this.#settings.token.kind === 'made';
  }

  /**
   * After too many wrong ones a right one is refused, too, or guessing would continue. Not so where the server made it (`isRandom`): nobody
   * guesses that, and whoever has it may share an address with whoever tries, behind one proxy or on one machine.
   */
  async #guess(request: FastifyRequest, isRight: boolean, isRandom: boolean): Promise<boolean> {
    if (isRight && isRandom) return true;
    const seconds = await this.#guesses.wait(request);
    if (seconds !== null) throw new RefusedError('tooMany', `too many wrong tokens: try again in ${seconds} s`);
    if (isRight) return true;
    await this.#guesses.count(request);
    return false;
  }

  #cookie({ protocol }: Pick<FastifyRequest, 'protocol'>, value: string, seconds: number): string {
    const secure = protocol === 'https' || this.#settings.tls !== null;
    const name = this.cookieName;
    return stringifySetCookie({ name, value, maxAge: seconds, path: '/', httpOnly: true, sameSite: 'strict', secure });
  }

  #cookieOf(header: string | undefined): string | null {
    return parseCookie(header ?? '')[this.cookieName] || null;
  }

  #isOurs(host: string): boolean {
    const { address, hostNames } = this.#settings;
    if (isLoopback(host) || hostNames.includes(host)) return true;
    // Nobody can have an address or this machine's own name rebound.
    return (
      !isLoopback(address) && (isIP(host) !== 0 || host === address.toLowerCase() || host === hostname().toLowerCase())
    );
  }
}

const shown = (text: string) => (text.length > 100 ? `${text.slice(0, 99)}…` : text);

/** Without port and brackets; null for what is not a host. */
function hostNameOf(host: string): string | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}

function originHost(origin: string): string | null {
  try {
    const { protocol, host } = new URL(origin);
    return protocol === 'http:' || protocol === 'https:' ? host.toLowerCase() : null;
  } catch {
    return null;
  }
}

/** In a time that tells nothing of how much is right. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
