/**
 * Colours for people at a terminal. The library also colours wherever CI is set: there, and in a pipe, what we print is
 * read by programs.
 */
import pc from 'picocolors';

const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
const atTerminal = Boolean(process.stdout.isTTY && process.stderr.isTTY) && TERM !== 'dumb';

export const colors = pc.createColors(!NO_COLOR && (Boolean(FORCE_COLOR) || atTerminal));
