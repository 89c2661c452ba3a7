/**
 * Has a program that npm runs end with npm: a SIGTERM to `npm start` or `npx epochal worker` (a supervisor's, a
 * script's `kill`) may end npm or its shell alone, and whatever they ran would continue for good.
 */
import { readFileSync } from 'node:fs';

/** What npm calls the scripts that serve. Other scripts may start a program in the background on purpose. */
const scripts = ['start', 'demo', 'npx'];
const everyMs = 1_000;

/**
 * Sends this process a SIGHUP once npm is gone, which its listeners take for the first signal and never for a second.
 * A program that npm does not run, or that was detached from it, is left alone. Answers whether npm is watched.
 */
export function hangUpWithoutNpm() {
  if (!scripts.includes(process.env.npm_lifecycle_event ?? '')) return false;
  const [parent, shellsParent] = chain();
  if (parent === undefined) return false;
  const timer = setInterval(() => {
    const isThere = process.ppid === parent && (shellsParent === undefined || parentOf(parent) === shellsParent);
    if (isThere) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGHUP');
  }, everyMs);
  timer.unref();
  return true;
}

/** The parent, and its own where that is npm and the parent its shell; empty where npm is neither. */
function chain() {
  const parent = process.ppid;
  // Where there is no /proc, only a parent can be watched.
  if (process.platform !== 'linux') return parent === 1 ? [] : [parent];
  if (isNpm(parent)) return [parent];
  const above = parentOf(parent);
  return above !== undefined && isNpm(above) ? [parent, above] : [];
}

/** By the title that it gives itself: `npm start`, `npm exec epochal worker`. */
function isNpm(pid) {
  return /^npm\b/.test(read(`/proc/${pid}/cmdline`));
}

/** The fourth field of its stat; the second one, its name in parentheses, may hold anything. */
function parentOf(pid) {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[1] === undefined ? undefined : Number(fields[1]);
}

/** Empty where the process has ended. */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
