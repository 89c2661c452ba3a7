/**
 * Paths that a configuration may name on this host. Whoever may start a run chooses them, so they stay inside the folders that
 * the host's operator named (`EPOCHAL_ALLOWED_PATHS`), links resolved; stores elsewhere, which open with this host's credentials, below the
 * addresses of `EPOCHAL_ALLOWED_STORES`.
 */
import { lstat, readlink, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, normalize, resolve, sep } from 'node:path';
import { shownValue } from '../contracts/config-problems.ts';
import type { ConfigProblem } from '../contracts/failure.ts';
import { isProjectAddress, readProjectAddress } from '../contracts/project-address.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { TrainerManifest } from '../contracts/trainer-manifest.ts';
import { StoreError } from '../stores/artifact-store.ts';
import { codeOf } from '../stores/file-errors.ts';
import { isFolderAddress, openFolder } from '../stores/open-store.ts';
import { pathParameters } from './path-parameters.ts';

/** The path fields of a configuration outside what is allowed. */
export class AllowedPaths {
  /**
   * `roots`: absolute folders; null allows every path. `base`: the folder that a relative path may start from. `stores`: addresses of stores
   * that are not folders, and of what they may be below; null allows every one. `projects`: of a Supervisely server, by number; null allows every one.
   */
  constructor(
    readonly roots: readonly string[] | null,
    readonly base: string = process.cwd(),
    readonly stores: readonly string[] | null = [],
    readonly projects: readonly number[] | null = [],
  ) {}

  /** `trainerFile`: relative paths may be meant to start from its folder, too. */
  async problems(config: RunConfig, manifest: TrainerManifest, trainerFile: string): Promise<ConfigProblem[]> {
    const outside = await this.#outside(pathFields(config, manifest), [this.base, dirname(trainerFile)]);
    return [...(manifest.datasets.length > 0 ? this.#projectProblems(config) : []), ...outside];
  }

  /** The worker's own token opens them. */
  #projectProblems({ data }: RunConfig): ConfigProblem[] {
    if (!isProjectAddress(data) || this.projects === null) return [];
    if (this.projects.includes(readProjectAddress(data)?.project ?? 0)) return [];
    const allowed = this.projects.join(', ') || '(no project)';
    const message = `must be a project that runs may read: ${allowed} (EPOCHAL_SUPERVISELY_PROJECTS of the worker)`;
    return [{ field: 'data', value: shownValue(data), message }];
  }

  /** The same of its store alone: before that is opened, and for whom no trainer has to be asked. */
  storeProblems(config: Pick<RunConfig, 'store'>): Promise<ConfigProblem[]> {
    return this.#outside(storeFields(config), [this.base]);
  }

  async #outside(fields: readonly PathField[], bases: readonly string[]): Promise<ConfigProblem[]> {
    const problems: ConfigProblem[] = [];
    for (const { field, value, address } of fields) {
      if (address === undefined || this.stores === null) continue;
      if (!this.stores.some((one) => isBelowAddress(address, one))) {
        const message = `must be below ${[...new Set(this.stores)].join(', ') || '(no store)'} (EPOCHAL_ALLOWED_STORES of the worker)`;
        problems.push({ field, value: shownValue(value), message });
      }
    }
    if (this.roots === null) return problems;
    const roots = await Promise.all(this.roots.map((root) => realPath(root)));
    for (const { field, value, address } of fields) {
      if (address !== undefined) continue;
      const places = await placesOf(value, bases);
      const isInside = await Promise.all(places.map(async (place) => isBelow(await realPath(place), roots)));
      if (leadsOut(value) || !isInside.every(Boolean))
        problems.push({ field, value: shownValue(value), message: `must be inside ${inWords(this.roots)}` });
    }
    return problems;
  }
}

interface PathField {
  field: string;
  value: string;
  /** Of a store, or a folder in one, that is not a folder of this host. */
  address?: string;
}

/** Every value that is opened as a path of this host. */
function pathFields(config: RunConfig, manifest: TrainerManifest): PathField[] {
  const { data, continueFrom, parameters } = config;
  const fields: PathField[] = pathParameters(manifest.parameters, parameters);
  // A trainer without data sets gets none: that is refused for its own reason.
  if (data !== undefined && manifest.datasets.length > 0 && !isProjectAddress(data))
    fields.push({ field: 'data', value: data });
  fields.push(...storeFields(config));
  if (continueFrom?.outputFolder !== undefined)
    fields.push(placeField('continueFrom.outputFolder', continueFrom.outputFolder));
  return fields;
}

const storeFields = ({ store }: Pick<RunConfig, 'store'>): PathField[] =>
  store === undefined ? [] : [placeField('store', store)];

function placeField(field: string, written: string): PathField {
  const address = storeAddressOf(written);
  return isFolderAddress(written) || address === '' ? { field, value: address } : { field, value: written, address };
}

/** The folder behind a store's address; empty where it is none, or not an address at all. */
export const folderOf = (address: string): string => (isFolderAddress(address) ? storeAddressOf(address) : '');

/** A store's address in the one way to write it; empty where it is not one, which whoever opens it says better. */
function storeAddressOf(written: string): string {
  try {
    return openFolder(written).address;
  } catch (error) {
    if (error instanceof StoreError) return '';
    throw error;
  }
}

const isBelowAddress = (address: string, allowed: string) =>
  address === allowed || address.startsWith(allowed.endsWith('/') ? allowed : `${allowed}/`);

/** Whether a relative path leaves its base: trainers may start it elsewhere, in the run's folder or in the data set. */
const leadsOut = (value: string) => !isAbsolute(value) && normalize(value).split('/')[0] === '..';

/** Where `value` may lead: a relative one starts from any of the bases, and `~` is a home folder to Python. */
async function placesOf(value: string, bases: readonly string[]): Promise<string[]> {
  if (value === '') return [];
  const home = /^~([^/]*)(\/.*)?$/.exec(value);
  if (home) return [home[1] ? join(dirname(homedir()), value.slice(1)) : join(homedir(), home[2] ?? '')];
  if (isAbsolute(value)) return [value];
  const places = bases.map((base) => resolve(base, value));
  if (value.split('/').includes('..')) return places;
  // A name of something that the trainer brings along is a relative path, too: it leads nowhere unless something is there.
  return (await Promise.all(places.map(async (place) => ((await isThere(place)) ? [place] : [])))).flat();
}

const isThere = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** A chain of links longer than the kernel follows. */
const mostLinks = 40;

/**
 * With every link resolved; what is not there yet is taken as it is named, below what is. Null where nobody could say: a circle of
 * links, a path that no file system takes.
 */
async function realPath(path: string, links = 0): Promise<string | null> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error) ?? '') || links > mostLinks) return null;
    // A link to nothing: whoever makes a file there makes it where the link leads.
    const target = await readlink(path).catch(() => null);
    if (target !== null) return realPath(resolve(dirname(path), target), links + 1);
    const parent = dirname(path);
    if (parent === path) return path;
    const real = await realPath(parent, links);
    return real === null ? null : join(real, basename(path));
  }
}

const isBelow = (path: string | null, roots: readonly (string | null)[]) =>
  path !== null &&
  roots.some((root) => root !== null && (path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)));

const inWords = (roots: readonly string[]) =>
  `${[...new Set(roots)].join(', ') || '(no folder)'} (EPOCHAL_ALLOWED_PATHS of the worker)`;
