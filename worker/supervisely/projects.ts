/**
 * Projects of a Supervisely server as folders of this host, in Supervisely's own format, which the readers of data sets know. A folder is of one version of a
 * project, whole from the moment that it is there, and never changed: runs that train on it share it. Its images are links to those in the cache.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { projectAddressOf, readProjectAddress } from '../../contracts/project-address.ts';
import { asStoreError, patient, type RetryPolicy } from '../../stores/retries.ts';
import { sha256Hex } from '../../stores/sha256.ts';
import { superviselySettings } from '../../stores/team-files-settings.ts';
import { DataSetProblem } from '../data-sets.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import { runProgram } from '../run-program.ts';
import { ImageCache } from './image-cache.ts';
import { ProjectApi } from './project-api.ts';
import { type DownloadOptions, ProjectDownload } from './project-download.ts';

export interface ProjectFolder {
  path: string;
  /** With the version: whoever asks for it gets the same images and annotations. */
  address: string;
}

/** What no run here uses is removed so long after it was asked for last; what an attempt left, sooner. */
const unusedMs = 30 * 24 * 3600_000;
const leftMs = 24 * 3600_000;
/** Looking for it takes minutes where there are millions of images. */
const evictEveryMs = 3600_000;

export class SuperviselyProjects {
  readonly #turns = new KeyedMutex();
  readonly #images: ImageCache;
  #evictedAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly folder: string,
    /** Folders that runs on this host train on. */
    readonly inUse: () => Promise<ReadonlySet<string>>,
    readonly policy: RetryPolicy = patient,
  ) {
    this.#images = new ImageCache(join(folder, 'images'));
  }

  /**
   * Downloads what is not here yet: images that an attempt before this one had are not asked for again. Throws DataSetProblem, with a clause, for what no
   * later attempt mends, and StoreError for a server that does not answer, or that refuses.
   */
  async get(data: string, options: DownloadOptions): Promise<ProjectFolder> {
    const address = readProjectAddress(data);
    if (address === null) throw new DataSetProblem('is not the address of a project');
    const { project, version } = address;
    const { api } = await superviselySettings().catch((error: unknown) => {
      throw asStoreError(`cannot read project ${project}`, error);
    });
    // Of another server it is another project.
    const folder = join(this.folder, `${sha256Hex(api).slice(0, 12)}-${project}`);
    const there = async (): Promise<ProjectFolder | null> => {
      const isHere = version !== null && (await isThere(join(folder, version)));
      return isHere ? { path: join(folder, version), address: projectAddressOf(project, version) } : null;
    };
    // A run that has its version does not wait while another one downloads a newer one, which may take hours.
    const found = await there();
    if (found !== null) return found;
    return this.#turns.runExclusive(folder, options.signal, async () => {
      const found = await there();
      if (found !== null) return found;
      await mkdir(folder, { recursive: true });
      const beside = join(folder, `.${randomUUID()}.tmp`);
      try {
        return await this.#download({ project, version, folder, beside, server: api }, options);
      } finally {
        await rm(beside, { recursive: true, force: true });
        // Nobody waits for it.
        if (performance.now() - this.#evictedAt > evictEveryMs) void this.#evict().catch(() => undefined);
      }
    });
  }

  /** What runs of this host are at was asked for now: other workers with this cache folder do not know these runs. */
  async keepUsed(): Promise<void> {
    for (const path of await this.inUse()) if (path.startsWith(`${this.folder}/`)) await isThere(path);
  }

  async #download(
    place: { project: number; version: string | null; folder: string; beside: string; server: string },
    options: DownloadOptions,
  ): Promise<ProjectFolder> {
    const { project, version, folder, beside, server } = place;
    await mkdir(beside);
    const { signal, onProgress } = options;
    const api = new ProjectApi({ signal, onWait: onProgress }, this.policy);
    const download = new ProjectDownload(project, api, options);
    const found = await download.annotations(beside);
    if (version !== null && version !== found)
      throw new DataSetProblem(
        `project ${project} has changed since it was ${version}, which this host does not have: without @${version} it is what it is now`,
      );
    const path = join(folder, found);
    if (!(await isThere(path))) {
      await download.images(beside, this.#images, server);
      // Renamed before its files are on the disk it could be there with empty ones, after a loss of power.
      await runProgram('sync', ['-f', beside], { signal });
      await rename(beside, path).catch(async (error: unknown) => {
        // Another worker with this cache folder was faster.
        if (!(await isThere(path))) throw error;
      });
    }
    return { path, address: projectAddressOf(project, found) };
  }

  async #evict(): Promise<void> {
    this.#evictedAt = performance.now();
    for (const project of await readdir(this.folder)) {
      if (project === 'images') continue;
      const folder = join(this.folder, project);
      const names = await readdir(folder).catch(() => []);
      // Whoever asks for one just now gets all of it, or waits and has it downloaded.
      const away = await this.#turns.runExclusive(folder, never, () => this.#takeAway(folder, names));
      for (const path of away) await rm(path, { recursive: true, force: true });
    }
    await this.#images.evict(Date.now() - unusedMs);
  }

  /** Under its name a version is whole until it is gone, also where its removal is interrupted. */
  async #takeAway(folder: string, names: readonly string[]): Promise<string[]> {
    const away: string[] = [];
    const inUse = await this.inUse();
    const now = Date.now();
    for (const name of names) {
      const path = join(folder, name);
      const isLeft = name.startsWith('.');
      const isOld = async (at: string) => {
        const { mtimeMs } = await stat(at).catch(() => ({ mtimeMs: now }));
        return now - mtimeMs > (isLeft ? leftMs : unusedMs);
      };
      if (inUse.has(path) || !(await isOld(path))) continue;
      const to = isLeft ? path : join(folder, `.${randomUUID()}.tmp`);
      if (!isLeft) await rename(path, to);
      // Somebody may have asked for it in between.
      if (await isOld(to)) away.push(to);
      else await rename(to, path);
    }
    return away;
  }
}

const never = new AbortController().signal;

/** Its time is when it was asked for last. */
async function isThere(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}
