/** Downloads a project of images into a folder: first its annotations, then the images that the cache does not have. */
import { copyFile, link, mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BucketError } from '../../stores/bucket.ts';
import { codeOf } from '../../stores/file-errors.ts';
import { forEach } from '../../stores/for-each.ts';
import { withRetries } from '../../stores/retries.ts';
import { sha256Hex } from '../../stores/sha256.ts';
import { IdleSignal } from '../../stores/stalled.ts';
import { teamFilesError } from '../../stores/team-files-errors.ts';
import { DataSetProblem } from '../data-sets.ts';
import { annotationFiles, canonical, metaFile } from './annotation-files.ts';
import type { ImageCache } from './image-cache.ts';
import { batchSize, type ProjectApi, type ProjectImage } from './project-api.ts';
import { dataSetFolders, imageNames } from './project-layout.ts';

export interface DownloadOptions {
  signal: AbortSignal;
  onProgress: (doing: string, counted?: { done: number; total: number }) => void;
}

interface PlacedImage {
  image: ProjectImage;
  /** In the project's folder. */
  path: string;
}

const imagesAtOnce = 8;
/** A download of which nothing came for so long counts as broken. */
const idleMs = 60_000;

export class ProjectDownload {
  readonly #lines: string[] = [];
  readonly #placed: PlacedImage[] = [];
  readonly #doing: string;

  constructor(
    readonly project: number,
    readonly api: ProjectApi,
    readonly options: DownloadOptions,
  ) {
    this.#doing = `download Supervisely project ${project}`;
  }

  /**
   * Writes `meta.json` and annotations into `folder`, which is empty, and answers the version: of the names and hashes of all images, their annotations
   * and classes. Throws DataSetProblem where no later attempt could do better.
   */
  async annotations(folder: string): Promise<string> {
    const { api, project } = this;
    this.options.onProgress(this.#doing);
    const info = await api.project(project);
    if (info === null)
      throw new DataSetProblem(
        `the server has no project ${project}, or does not show it to the user of this worker's API_TOKEN`,
      );
    if ((info.type ?? 'images') !== 'images')
      throw new DataSetProblem(`project ${project} is of ${info.type}: only a project of images can be trained on`);
    const meta = metaFile(await api.meta(project), info.settings?.labelingInterface);
    await this.#write(folder, 'meta.json', meta);
    for (const { path, dataSet } of dataSetFolders(await api.dataSets(project))) {
      const images = await api.images(dataSet);
      const names = imageNames(images, dataSet.name);
      for (const inside of ['img', 'ann']) await mkdir(join(folder, path, inside), { recursive: true });
      for (let at = 0; at < images.length; at += batchSize) {
        const batch = images.slice(at, at + batchSize);
        const files = await annotationFiles(await api.annotations(dataSet, batch), batch, api);
        for (const [index, image] of batch.entries()) {
          const name = names.get(image.id) ?? '';
          await this.#write(folder, `${path}/ann/${name}.json`, files[index]);
          this.#lines.push(`${image.hash ?? canonical([image.link, image.updatedAt])} ${path}/img/${name}`);
          this.#placed.push({ image, path: `${path}/img/${name}` });
        }
        this.options.onProgress(`${this.#doing}: annotations of data set ${dataSet.name}`, {
          done: at + batch.length,
          total: images.length,
        });
      }
    }
    if (this.#placed.length === 0) throw new DataSetProblem(`project ${project} has no images`);
    return sha256Hex(this.#lines.sort().join('\n')).slice(0, 16);
  }

  /** Links to all images, of which the cache has those that came before. */
  async images(folder: string, cache: ImageCache, server: string): Promise<void> {
    const total = this.#placed.length;
    let done = 0;
    const tell = () => this.options.onProgress(`${this.#doing}: images`, { done, total });
    tell();
    const failed = new AbortController();
    const signal = AbortSignal.any([this.options.signal, failed.signal]);
    const bring = async ({ image, path }: PlacedImage) => {
      signal.throwIfAborted();
      const from = cache.pathOf(image, server);
      if (!(await cache.has(from, image))) await this.#fetch(image, from, cache, signal);
      await place(from, join(folder, path)).catch(async (error: unknown) => {
        // Another worker has just removed what nobody had any longer.
        if (codeOf(error) !== 'ENOENT') throw error;
        await this.#fetch(image, from, cache, signal);
        await place(from, join(folder, path));
      });
      // Others may remove what an attempt left that nobody is at.
      const now = new Date();
      await utimes(folder, now, now);
      done += 1;
      tell();
    };
    try {
      await forEach(this.#placed, imagesAtOnce, (one) =>
        bring(one).catch((error: unknown) => {
          failed.abort(error);
          throw error;
        }),
      );
    } catch (error) {
      this.options.signal.throwIfAborted();
      throw error;
    }
  }

  async #fetch(image: ProjectImage, path: string, cache: ImageCache, signal: AbortSignal): Promise<void> {
    const { policy, options } = this.api;
    const retry = { ...options, signal };
    await withRetries(`cannot download image ${image.name}`, policy, retry, async () => {
      const idle = new IdleSignal(signal, idleMs);
      const body = await this.api.image(image, { signal: idle.signal });
      try {
        const moved = async function* () {
          for await (const chunk of body) {
            idle.moved();
            yield chunk as Buffer;
          }
        };
        await cache.add(path, image, moved(), idle.signal);
      } catch (error) {
        signal.throwIfAborted();
        throw ofThisHost(error) ? error : error instanceof BucketError ? error : teamFilesError(idle.asBroken(error));
      } finally {
        idle.end();
        body.destroy();
      }
    });
  }

  async #write(folder: string, path: string, content: unknown): Promise<void> {
    const text = canonical(content);
    this.#lines.push(`${sha256Hex(text)} ${path}`);
    await writeFile(join(folder, path), text, { mode: 0o444 });
  }
}

/** A disk that is full is no broken connection. */
const ofThisHost = (error: unknown): boolean => ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES'].includes(codeOf(error) ?? '');

/** File systems without links, or that may not have this one, or one more. */
const noLink = ['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** A link, where there can be one. */
const place = (from: string, to: string): Promise<void> =>
  link(from, to).catch((error: unknown) => {
    if (!noLink.includes(codeOf(error) ?? '')) throw error;
    return copyFile(from, to);
  });
