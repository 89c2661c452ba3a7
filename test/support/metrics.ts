/** What Prometheus reads, read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Throws with what it said where it is not content. */
export async function promtool(args: readonly string[], { cwd = '.', input = '' } = {}): Promise<void> {
  const program = spawn('promtool', args, { cwd });
  let said = '';
  for (const stream of [program.stdout, program.stderr]) stream.on('data', (chunk) => (said += chunk));
  program.stdin.on('error', () => undefined).end(input);
  const [code] = await once(program, 'close');
  if (code !== 0) throw new Error(`promtool ${args.join(' ')}: ${said}`);
}

/** In CI it is there, or what needs it fails. */
export const hasPromtool =
  process.env.CI !== undefined ||
  (await promtool(['--version']).then(
    () => true,
    () => false,
  ));

/** The text format, as far as ours has it: samples by name and labels. */
export function readSamples(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      const value = Number(line.slice(at + 1));
      if (at < 0 || Number.isNaN(value)) throw new Error(`is no sample: ${line}`);
      return [line.slice(0, at), value];
    }),
  );
}
