/** The server's logger: pretty on a terminal, JSON lines otherwise, on stderr; secrets never reach it. */
import { type DestinationStream, type Logger, pino } from 'pino';

/** What a request must not leave behind, wherever it is logged from. */
const secrets = [
  'req.headers.authorization',
  'req.headers.cookie',
  'res.headers["set-cookie"]',
  'headers.authorization',
  'headers.cookie',
  'token',
  'body.token',
];

/** To stderr, unless another place is given. */
export function createServerLog(level: string, destination?: DestinationStream): Logger {
  const options = { level, redact: { paths: secrets, censor: '(hidden)' } };
  if (destination) return pino(options, destination);
  if (!process.stderr.isTTY) return pino(options, pino.destination(2));
  const pretty = { destination: 2, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' };
  return pino({ ...options, transport: { target: 'pino-pretty', options: pretty } });
}
