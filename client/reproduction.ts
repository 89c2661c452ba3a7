/** A run started again from its receipt: what with, and what differs on the hosts that may train it. */
import { createHash } from 'node:crypto';
import {
  type HostMaterials,
  type MaterialsQuestion,
  mostOfPackages,
  packagesFile,
} from '../contracts/host-materials.ts';
import type { CheckedConfig } from '../contracts/host-messages.ts';
import type { Materials } from '../contracts/receipt-facts.ts';
import type { RunConfigInput } from '../contracts/run-config.ts';
import type { RunView } from '../contracts/run-messages.ts';
import { WrongStateError } from './errors.ts';
import { sameAgain } from './next-config.ts';
import { parseConfig } from './parse-config.ts';
import type { MaterialsAnswer } from './pool-hosts.ts';
import type { RunFiles } from './run-files.ts';
import { firstThatHas, type RunPlaces } from './run-places.ts';

/** `withheld`: changes of files that may hold secrets, and within submodules, which nobody compares. Null: not there, or not known. Of packages only those that differ, where both lists are known. */
export interface Difference {
  what:
    | 'commit'
    | 'changes'
    | 'withheld'
    | 'entry'
    | 'trainer'
    | 'sdk'
    | 'environment'
    | 'packages'
    | 'driver'
    | 'image'
    | 'data';
  was: string | null;
  is: string | null;
}

export type HostDifferences =
  | { host: string; ok: true; differences: Difference[] }
  | { host: string; ok: false; problem: string };

export interface Reproduction {
  /** To start: that of the run, with an id of its own. */
  config: RunConfigInput;
  /** Of the code that the run was trained with; null where it was in no repository. */
  commit: string | null;
  /** Whether its uncommitted changes are published as `code.diff`. */
  hasDiff: boolean;
  /** Wherever it trains. */
  differences: Difference[];
  /** Of its pool. Any of them may train it. */
  hosts: HostDifferences[];
}

export interface ReproductionOptions {
  /** Id of the new run. Left out: made from trainer and time. */
  as?: string | undefined;
  onProgress?: (doing: string) => void;
}

type Checked = Pick<Extract<CheckedConfig, { ok: true }>, 'config' | 'dataReport'>;

/** Of the client. */
interface Source {
  readonly files: RunFiles;
  view(run: string): Promise<RunView>;
  places(run: string): Promise<RunPlaces>;
  check(config: unknown, options: { onProgress?: (doing: string) => void }): Promise<Checked>;
}
export type AskForMaterials = (question: MaterialsQuestion & { pool: string }) => Promise<MaterialsAnswer[]>;

/**
 * Throws WrongStateError for a run that is not over, of whose materials nothing is known, or whose uncommitted changes were not recorded
 * whole; ConfigError for what a worker refuses; NoWorkerError.
 */
export async function planReproduction(
  client: Source,
  run: string,
  { as, onProgress, ask }: ReproductionOptions & { ask: AskForMaterials },
): Promise<Reproduction> {
  const view = await client.view(run);
  const materials = materialsOf(view);
  const wanted = { ...reproduced(view, materials), ...(as === undefined ? {} : { run: as }) };
  const { config, dataReport } = await client.check(parseConfig(wanted), onProgress ? { onProgress } : {});
  const { trainer, pool = 'gpu', code, image } = config;
  const [answers, packages] = await Promise.all([
    ask({ pool, trainer, ...(code === undefined ? {} : { code }), ...(image === undefined ? {} : { image }) }),
    packagesOf(client, run, materials.packages ?? null),
  ]);
  return {
    config,
    commit: materials.code?.commit ?? null,
    hasDiff: Boolean(materials.code?.diff),
    differences: differing('data', materials.data, dataReport?.splitSha256 ?? null, true),
    hosts: answers.map(({ host, ...answer }) =>
      answer.ok
        ? { host, ok: true, differences: differencesOf({ materials, packages }, answer.found) }
        : { host, ...answer },
    ),
  };
}

function materialsOf({ run, state, receipt }: RunView): Materials {
  if (!receipt)
    throw new WrongStateError(
      `run ${run} ${state === 'stopped' ? 'has no receipt' : `is not over (${state})`}: what it is made of is told by its receipt`,
    );
  const { materials } = receipt;
  if (!materials)
    throw new WrongStateError(`run ${run} has a receipt of an earlier version, which does not tell what it is made of`);
  if (materials.code?.diff?.isTruncated)
    throw new WrongStateError(
      `run ${run} was trained with more uncommitted changes than were recorded: its code.diff is truncated, so nobody can start the same again; "epochal fork ${run}" starts it with the code that is there now`,
    );
  return materials;
}

/** Which checkpoint is the best or the last of the other run may have changed since. */
export function reproduced(view: Pick<RunView, 'config'>, { from }: Pick<Materials, 'from'>) {
  const config = sameAgain(view);
  const { continueFrom } = config;
  return continueFrom && from ? { ...config, continueFrom: { ...continueFrom, checkpoint: from.checkpoint } } : config;
}

/** The run's own list, as its receipt has it by its digest. Without it only that there is a difference can be told, not which one. */
async function packagesOf(client: Source, run: string, sha256: string | null): Promise<string | null> {
  if (sha256 === null) return null;
  try {
    const { places } = await client.places(run);
    const { place, found } = await firstThatHas({ places }, packagesFile, (one) =>
      client.files.size(one, packagesFile),
    );
    if (found > mostOfPackages) return null;
    const parts: Uint8Array[] = [];
    for await (const part of client.files.bytes(place, packagesFile, 0, found)) parts.push(part);
    const bytes = Buffer.concat(parts);
    return createHash('sha256').update(bytes).digest('hex') === sha256 ? bytes.toString('utf8') : null;
  } catch {
    return null;
  }
}

/** What a run was made of, and what one would be now. */
export function differencesOf(
  { materials: was, packages }: Pick<HostMaterials, 'materials' | 'packages'>,
  { materials: is, packages: packagesNow }: Pick<HostMaterials, 'materials' | 'packages'>,
): Difference[] {
  const areBothKnown = packages !== null && packagesNow !== null && was.packages !== is.packages;
  // Its packages are in it.
  const isSameImage = Boolean(was.image) && was.image === is.image;
  const mayBeSecret = Boolean(was.code?.diff?.withheld || is.code?.diff?.withheld);
  return [
    ...differing('commit', commitOf(was), commitOf(is), true),
    // Without a repository there is nothing that they could be changes to.
    ...(was.code || is.code ? differing('changes', changesOf(was), changesOf(is)) : []),
    ...(mayBeSecret ? [{ what: 'withheld' as const, was: null, is: null }] : []),
    ...differing('entry', was.entry, is.entry),
    ...differing('trainer', was.trainer, is.trainer),
    ...differing('sdk', was.sdk, is.sdk),
    ...differing('environment', was.environment, is.environment, true),
    ...(isSameImage
      ? []
      : areBothKnown
        ? packageDifferences(packages, packagesNow)
        : differing('packages', was.packages, is.packages)),
    ...differing('driver', was.driver, is.driver, true),
    // Hosts of before had no containers.
    ...differing('image', was.image ?? null, is.image ?? null, true),
  ];
}

/** Undefined: of old. `mayBeNone`: null on both sides is that there is none. */
function differing(
  what: Difference['what'],
  was: string | null | undefined,
  is: string | null | undefined,
  mayBeNone = false,
): Difference[] {
  const isSame = was === is && (was === null ? mayBeNone : was !== undefined);
  return isSame ? [] : [{ what, was: was ?? null, is: is ?? null }];
}

const commitOf = ({ code }: Materials) => (code === undefined ? undefined : (code?.commit ?? null));

/** Null: nobody knows all of them. */
function changesOf({ code }: Materials): string | null {
  if (!code || code.isDirty === null) return null;
  if (!code.isDirty) return 'none';
  return code.diff && !code.diff.isTruncated ? code.diff.sha256 : null;
}

function packageDifferences(was: string, is: string): Difference[] {
  const [before, now] = [versionsOf(was), versionsOf(is)];
  const names = [...new Set([...before.keys(), ...now.keys()])].sort();
  return names
    .filter((name) => before.get(name) !== now.get(name))
    .map((name) => ({ what: 'packages', was: lineOf(name, before), is: lineOf(name, now) }));
}

const versionsOf = (list: string) =>
  new Map(
    list.split('\n').flatMap((line) => {
      const [name, version] = line.split('==');
      return name && version !== undefined ? [[name, version] as const] : [];
    }),
  );

const lineOf = (name: string, versions: ReadonlyMap<string, string>): string =>
  versions.has(name) ? `${name}==${versions.get(name)}` : `no ${name}`;

/** Whether nothing at all is known to differ, or unknown, on any host. */
export const isExact = ({ differences, hosts }: Pick<Reproduction, 'differences' | 'hosts'>): boolean =>
  differences.length === 0 && hosts.length > 0 && hosts.every((host) => host.ok && host.differences.length === 0);
