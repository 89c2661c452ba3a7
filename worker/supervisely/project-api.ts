/** What a Supervisely server tells of a project of images, checked, and tried again where that can help. */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { StoreError } from '../../stores/artifact-store.ts';
import { BucketError, type Call } from '../../stores/bucket.ts';
import { type RetryOptions, type RetryPolicy, withRetries } from '../../stores/retries.ts';
import { askTeamFiles, openTeamFiles, readTeamFiles, type TeamFilesRequest } from '../../stores/team-files-client.ts';

const count = z.coerce.number().int().nonnegative();
const id = z.coerce.number().int().positive();

const projectSchema = z.object({
  id,
  name: z.string(),
  type: z.string().nullish(),
  settings: z.looseObject({ labelingInterface: z.unknown() }).partial().nullish(),
});
export type ProjectInfo = z.infer<typeof projectSchema>;

const dataSetSchema = z.object({ id, name: z.string(), parentId: id.nullish() });
export type ProjectDataSet = z.infer<typeof dataSetSchema>;

const imageSchema = z.object({
  id,
  name: z.string(),
  /** SHA-256, base64; none of what lies elsewhere. */
  hash: z.string().nullish(),
  link: z.string().nullish(),
  mime: z.string().nullish(),
  size: count.nullish().catch(null),
  width: count.nullish().catch(null),
  height: count.nullish().catch(null),
  updatedAt: z.string().nullish(),
});
export type ProjectImage = z.infer<typeof imageSchema>;

const annotationsSchema = z.array(z.object({ imageId: id, annotation: z.record(z.string(), z.unknown()) }));

const pageSchema = <T>(entity: z.ZodType<T>) =>
  z.object({
    entities: z.array(entity),
    total: count.nullish(),
    pagesCount: count.nullish(),
    after: z.string().nullish(),
  });

/** Of annotations, and of geometries: as the SDK asks for them. */
export const batchSize = 50;

export class ProjectApi {
  constructor(
    readonly options: RetryOptions,
    readonly policy: RetryPolicy,
  ) {}

  get #call(): Call {
    const { signal } = this.options;
    return signal ? { signal } : {};
  }

  /** Null where the server has no such project, or not for this user. */
  async project(project: number): Promise<ProjectInfo | null> {
    return this.#ask(`read project ${project}`, 'projects.info', { id: project }, (told) =>
      projectSchema.parse(told),
    ).catch((error: unknown) => {
      if (causeOf(error)?.trouble === 'gone') return null;
      throw error;
    });
  }

  meta(project: number): Promise<Record<string, unknown>> {
    return this.#ask(`read project ${project}`, 'projects.meta', { id: project }, (told) =>
      z.record(z.string(), z.unknown()).parse(told),
    );
  }

  /** With those inside of others. */
  async dataSets(project: number): Promise<ProjectDataSet[]> {
    const doing = `list the data sets of project ${project}`;
    const json = { projectId: project, filter: [], recursive: true, sort: 'id', sort_order: 'asc' };
    const found = new Map<number, ProjectDataSet>();
    let total: number | null | undefined;
    for (let page = 1, pages = 1; page <= pages; page += 1) {
      const told = await this.#page('datasets.list', doing, { ...json, page }, dataSetSchema);
      pages = told.pagesCount ?? 1;
      total ??= told.total;
      for (const one of told.entities) found.set(one.id, one);
      if (told.entities.length === 0) break;
    }
    requireAll(doing, 'data sets', found.size, total);
    return [...found.values()];
  }

  async images(dataSet: ProjectDataSet): Promise<ProjectImage[]> {
    const doing = `list the images of data set ${dataSet.name}`;
    const json = { datasetId: dataSet.id, filter: [], sort: 'id', sort_order: 'asc', pagination_mode: 'token' };
    const found = new Map<number, ProjectImage>();
    const turned = new Set<string>();
    let after: string | null | undefined;
    let total: number | null | undefined;
    do {
      const told = await this.#page('images.list', doing, after ? { ...json, after } : json, imageSchema);
      total ??= told.total;
      for (const image of told.entities) found.set(image.id, image);
      after = told.after;
      if (after && turned.has(after)) throw wrong(doing, 'the server gives pages of its list over and over');
      if (after) turned.add(after);
    } while (after);
    requireAll(doing, 'images', found.size, total);
    return [...found.values()];
  }

  /** In the order of `images`. */
  async annotations(dataSet: ProjectDataSet, images: readonly ProjectImage[]): Promise<Record<string, unknown>[]> {
    const doing = `read the annotations of data set ${dataSet.name}`;
    const json = {
      ...{ datasetId: dataSet.id, imageIds: images.map((image) => image.id) },
      ...{ withCustomBigData: false, forceMetadataForLinks: true, integerCoords: false },
    };
    const told = await this.#ask(doing, 'annotations.bulk.info', json, (it) => annotationsSchema.parse(it));
    const byImage = new Map(told.map(({ imageId, annotation }) => [imageId, annotation]));
    return images.map((image) => {
      const annotation = byImage.get(image.id);
      if (annotation) return annotation;
      throw wrong(doing, `the server has none of the image ${image.name}`);
    });
  }

  /** What alpha masks are, which annotations only name. */
  async geometries(figures: readonly number[]): Promise<Map<number, unknown>> {
    const doing = 'read alpha masks';
    const found = await withRetries(`cannot ${doing}`, this.policy, this.options, async () => {
      const request = this.#request('figures.bulk.download.geometry', { ids: figures });
      const { bytes, type } = await readTeamFiles(this.#call, request);
      try {
        return await partsOf(new Uint8Array(bytes), type);
      } catch (error) {
        throw new BucketError('broken', 'no whole answer came', null, { cause: error });
      }
    });
    const missing = figures.find((figure) => !found.has(figure));
    if (missing !== undefined) throw wrong(doing, `the server has none of figure ${missing}`);
    return found;
  }

  /** Its bytes as they come; nothing is tried again here. */
  image(image: ProjectImage, call: Call): Promise<IncomingMessage> {
    return openTeamFiles(call, this.#request('images.download', { id: image.id }));
  }

  #page<T>(method: string, doing: string, json: Record<string, unknown>, entity: z.ZodType<T>) {
    return this.#ask(doing, method, json, (told) => pageSchema(entity).parse(told));
  }

  #ask<T>(doing: string, method: string, json: Record<string, unknown>, parse: (told: unknown) => T): Promise<T> {
    return withRetries(`cannot ${doing}`, this.policy, this.options, async () => {
      const { answer } = await askTeamFiles(this.#call, this.#request(method, json), parse);
      return answer;
    });
  }

  #request(method: string, json: Record<string, unknown>): TeamFilesRequest {
    return { method, json, isTeamless: true };
  }
}

/** JSON by the name of its part. Throws what is wrong with the form. */
async function partsOf(form: Uint8Array<ArrayBuffer>, type: string): Promise<Map<number, unknown>> {
  const found = new Map<number, unknown>();
  for (const [name, part] of await new Response(form, { headers: { 'content-type': type } }).formData())
    found.set(Number(name), JSON.parse(typeof part === 'string' ? part : await part.text()));
  return found;
}

/** What a list leaves out would be missing to the training, and nobody would know. */
function requireAll(doing: string, what: string, found: number, total: number | null | undefined): void {
  if (total !== null && total !== undefined && total !== found)
    throw wrong(doing, `the server tells of ${found} ${what}, and says that there are ${total}`);
}

/** It may be asked again later: somebody may change the project just now. */
const wrong = (doing: string, why: string) => new StoreError(`cannot ${doing}: ${why}`, true);

/** What the server said, behind a StoreError. */
export const causeOf = (error: unknown): BucketError | null => {
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause instanceof BucketError ? cause : null;
};
