/** Parts of a worker: by the names of its threads, and within one by the files whose functions a profile found running. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Threads by the names that Node, libuv, V8 and Temporal's core give them. */
export function partOf(thread: string, isMain: boolean): string {
  if (isMain) return 'main thread: activities, protocol';
  if (/^libuv-worker/.test(thread)) return 'file system, by threads that wait';
  if (/^(node|WorkerThread)/.test(thread)) return 'workflow threads, file system';
  if (/^(V8|DelayedTask)/i.test(thread)) return 'compiler and garbage collector';
  return "Temporal's core: requests";
}

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
}

type Shares = [part: string, share: number][];

/** Of the main thread and of the one that workflows run in: shares of the time that it was busy, largest first. */
export async function profiledParts(folder: string): Promise<[thread: string, shares: Shares][]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.cpuprofile'));
  const profiles = await Promise.all(
    files.map(async (file): Promise<Profile> => JSON.parse(await readFile(join(folder, file), 'utf8'))),
  );
  const threads = { 'main thread': /\/dist\/worker\/main\.js$/, 'workflow thread': /\/workflow-worker-thread\.js$/ };
  return Object.entries(threads).flatMap(([thread, itsCode]) => {
    const own = profiles.filter(({ nodes }) => nodes.some(({ callFrame }) => itsCode.test(callFrame.url)));
    const longest = own.map(times).sort((a, b) => sumOf(b) - sumOf(a))[0];
    if (!longest) return [];
    const all = sumOf(longest);
    const shares = [...longest].map(([part, time]): Shares[number] => [part, time / all]);
    return [[thread, shares.sort(([, a], [, b]) => b - a)] as [string, Shares]];
  });
}

const sumOf = (times: Map<string, number>) => [...times.values()].reduce((sum, time) => sum + time, 0);

function times({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const found = new Map<string, number>();
  for (const [index, sample] of samples.entries()) {
    const frame = frames.get(sample);
    if (!frame || frame.functionName === '(idle)') continue;
    const part = codeOf(frame);
    found.set(part, (found.get(part) ?? 0) + (timeDeltas[index] ?? 0));
  }
  return found;
}

function codeOf({ functionName, url }: Profile['nodes'][number]['callFrame']): string {
  if (functionName === '(garbage collector)') return 'garbage collector';
  if (functionName.startsWith('(')) return 'outside JavaScript';
  if (/^node:(internal\/)?fs/.test(url)) return "Node's file system";
  if (url.startsWith('node:') || url === '') return "Node's other parts";
  if (/node_modules\/@temporalio|node_modules\/(protobufjs|long)/.test(url)) return "Temporal's SDK";
  if (/node_modules\/zod/.test(url)) return 'contracts (zod)';
  if (/\/workflows\/[0-9a-f]+\.js$/.test(url)) return 'bundle of the workflows';
  if (/node_modules/.test(url)) return 'other libraries';
  return `Epochal: ${/\/dist\/([a-z]+)\//.exec(url)?.[1] ?? 'other'}`;
}
