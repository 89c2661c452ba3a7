/** `epochal notify test`: whether those who are to be told of runs can be, from this machine. */
import { Notifier } from '../observers/notifier.ts';
import { readNotify } from '../observers/notify-settings.ts';

export interface Tested {
  target: string;
  /** Null: it was taken. */
  problem: string | null;
}

/** All targets of the file, or these. Throws an Error with a sentence where there is no such file, or no such target. */
export async function testNotifications(
  env: NodeJS.ProcessEnv,
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<Tested[]> {
  const file = env.EPOCHAL_NOTIFY;
  if (!file) throw new Error('EPOCHAL_NOTIFY is not set: it names the file with targets and rules');
  const settings = readNotify(file, env);
  const known = Object.keys(settings.targets);
  const unknown = wanted.filter((target) => !known.includes(target));
  if (unknown.length > 0) throw new Error(`${file} has no target ${unknown.join(', ')}, only ${known.join(', ')}`);
  const tested = Object.entries(settings.targets).filter(([target]) => wanted.length === 0 || wanted.includes(target));
  return Promise.all(
    tested.map(async ([target, to]) => ({
      target,
      problem: await new Notifier(target, to, settings, env).test(signal),
    })),
  );
}
