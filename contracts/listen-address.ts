/** Where a port is opened, as a setting names it. */
import { z } from 'zod';

export interface ListenAddress {
  host: string;
  /** 0: any free one. */
  port: number;
}

/** `9464` is a port of the loopback, `0.0.0.0:9464` one of all addresses; null for what is neither. */
export function readListenAddress(text: string): ListenAddress | null {
  const [, bracketed, plain, digits] = /^(?:(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return digits !== undefined && port <= 65_535 ? { host: bracketed ?? plain ?? '127.0.0.1', port } : null;
}

export const shownAddress = ({ host, port }: ListenAddress): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

export const listenAddress = z.string().refine((text) => readListenAddress(text) !== null, {
  error: 'must be a port, such as 9464, which is one of the loopback, or an address and a port, such as 0.0.0.0:9464',
});
