/** The log of `epochal up`: everything goes into a file, and to the terminal while no run is shown there. */
import { join } from 'node:path';
import { type Logger, multistream, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { traceFields } from '../worker/activity-spans.ts';

export interface TerminalLog {
  log: Logger;
  file: string;
  /** While quiet, only errors reach the terminal: a progress display owns it, and tells of trouble by itself. */
  setQuiet(quiet: boolean): void;
}

const error = 50;

export function openTerminalLog(dataFolder: string): TerminalLog {
  const file = join(dataFolder, 'logs', 'launcher.log');
  const level = process.env.LOG_LEVEL ?? 'info';
  const pretty = prettyFactory({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss', singleLine: true });
  const shown = process.stderr.isTTY ? pretty : (line: string) => line;
  let quiet = false;
  const gate = {
    write(line: string): void {
      if (quiet && Number(/"level":(\d+)/.exec(line)?.[1] ?? error) < error) return;
      // By the stream that the rest is said on: what becomes of a terminal that is closed is decided there.
      process.stderr.write(shown(line));
    },
  };
  // Written at once: the last lines before an end are the ones that matter.
  const destination = pino.destination({ dest: file, mkdir: true, sync: true });
  const log = pino(
    { level, mixin: traceFields },
    multistream([
      { level: 'trace', stream: destination },
      { level: 'trace', stream: gate },
    ]),
  );
  return {
    log,
    file,
    setQuiet: (value) => {
      quiet = value;
    },
  };
}
