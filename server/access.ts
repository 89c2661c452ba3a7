/**
 * Who may ask. Three checks, before anything else: the host name (a page that had its own name rebound to this address
 * is refused), the origin (a page of another site is refused), the token where one is set.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { FastifyRequest } from 'fastify';
import { RefusedError } from './refusals.ts';
import { isLoopback, type ServerSettings } from './settings.ts';

export const cookieName = 'epochal';

export class Access {
  readonly #settings: Pick<ServerSettings, 'address' | 'token' | 'hostNames'>;
  /** What the browser keeps: made from the token, and no way back to it. */
  readonly #pass: string | null;

  constructor(settings: Pick<ServerSettings, 'address' | 'token' | 'hostNames'>) {
    this.#settings = settings;
    this.#pass =
      settings.token === null
        ? null
        : createHmac('sha256', settings.token).update('epochal cookie').digest('base64url');
  }

  get tokenRequired(): boolean {
    return this.#settings.token !== null;
  }

  /** Throws RefusedError for another host name or another origin. */
  requireSameSite({ headers, method }: Pick<FastifyRequest, 'headers' | 'method'>): void {
    const host = headers.host ?? '';
    const named = hostNameOf(host);
    if (named === null || !this.#isOurs(named)) {
      throw new RefusedError(
        'forbidden',
        `host is ${JSON.stringify(shown(host))}: this server does not go by that name; name it in EPOCHAL_SERVER_NAMES if it should`,
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

  isGranted({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
    const { token } = this.#settings;
    if (token === null || this.#pass === null) return true;
    const [scheme, given] = headers.authorization?.split(' ') ?? [];
    if (scheme?.toLowerCase() === 'bearer' && given !== undefined) return isSame(given, token);
    const cookie = cookieOf(headers.cookie);
    return cookie !== null && isSame(cookie, this.#pass);
  }

  isToken(given: string): boolean {
    return this.#settings.token === null || isSame(given, this.#settings.token);
  }

  /** For `Set-Cookie`. */
  cookie(isSecure: boolean): string {
    return `${cookieName}=${this.#pass ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${30 * 24 * 3600}${isSecure ? '; Secure' : ''}`;
  }

  noCookie(): string {
    return `${cookieName}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`;
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

/** Without port and brackets; null for what is no host. */
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

function cookieOf(header: string | undefined): string | null {
  for (const part of header?.split(';') ?? []) {
    const [key, value] = part.trim().split('=');
    if (key === cookieName && value) return value;
  }
  return null;
}

/** In a time that tells nothing of how much is right. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
