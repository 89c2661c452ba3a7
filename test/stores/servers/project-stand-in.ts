/** Projects of images as a Supervisely server tells of them, for what stands in for one: with coordinates finer than pixels, and lists over pages. */
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';

type Json = Record<string, unknown>;

export interface StandInImage {
  id: number;
  name: string;
  bytes: Buffer;
  mime: string | null;
  width: number;
  height: number;
  annotation: Json & { objects: Json[] };
  /** It lies elsewhere: there is no hash of it. */
  link?: string;
}

export interface StandInDataSet {
  id: number;
  name: string;
  parentId: number | null;
  images: StandInImage[];
}

export interface StandInProject {
  id: number;
  name: string;
  type: string;
  settings: Json;
  meta: Json;
  dataSets: StandInDataSet[];
}

/** A multipart answer; what is binary, and JSON. */
type Answer = { json: unknown } | { bytes: Buffer } | { parts: [string, Buffer][] };

export class ProjectStandIn {
  readonly projects: StandInProject[] = [];
  /** What alpha masks are, by figure: annotations have none of it. */
  readonly geometries = new Map<number, Json>();

  /** Of tasks that there are, what they show. */
  readonly outputs = new Map<number, Json>();

  /** Null where there is no such method, or not what it asks for. */
  answer(method: string, json: Json): Answer | null {
    const project = this.projects.find(({ id }) => id === json.id || id === json.projectId);
    const dataSets = this.projects.flatMap((one) => one.dataSets);
    const images = dataSets.flatMap((one) => one.images);
    const imagesOf = (ids: unknown) => images.filter(({ id }) => (ids as number[]).includes(id));
    switch (method) {
      case 'projects.info':
        return project ? { json: infoOf(project) } : null;
      case 'projects.meta':
        return project ? { json: project.meta } : null;
      case 'datasets.list':
        return project
          ? {
              json: paged(
                project.dataSets.map((one) => dataSetInfo(one, project)),
                json,
                2,
              ),
            }
          : null;
      case 'datasets.info': {
        const owner = this.projects.find(({ dataSets }) => dataSets.some(({ id }) => id === json.id));
        const dataSet = owner?.dataSets.find(({ id }) => id === json.id);
        return owner && dataSet ? { json: dataSetInfo(dataSet, owner) } : null;
      }
      case 'images.list': {
        const found = dataSets.find(({ id }) => id === json.datasetId);
        return found
          ? {
              json: paged(
                found.images.map((one) => imageInfo(one, found)),
                json,
                3,
              ),
            }
          : null;
      }
      case 'annotations.bulk.info':
        // In another order than they were asked for.
        return { json: imagesOf(json.imageIds).reverse().map(annotationInfo) };
      case 'figures.bulk.download.geometry':
        return {
          parts: (json.ids as number[]).map((id) => [`${id}`, Buffer.from(JSON.stringify(this.geometries.get(id)))]),
        };
      case 'tasks.output.set': {
        if (!this.outputs.has(Number(json.taskId))) return null;
        this.outputs.set(Number(json.taskId), json.output as Json);
        return { json: { success: true } };
      }
      case 'images.download': {
        const [image] = imagesOf([json.id]);
        return image ? { bytes: image.bytes } : null;
      }
      case 'images.bulk.download':
        return { parts: imagesOf(json.imageIds).map(({ id, bytes }) => [`${id}`, bytes]) };
      default:
        return null;
    }
  }
}

export function sendAnswer(response: ServerResponse, answer: Answer): void {
  if ('json' in answer) {
    const text = JSON.stringify(answer.json);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
    return;
  }
  if ('bytes' in answer) {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': answer.bytes.length }).end(answer.bytes);
    return;
  }
  const boundary = 'the-boundary-of-parts';
  const parts = answer.parts.flatMap(([name, bytes]) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
  const body = Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
  response.writeHead(200, {
    'content-type': `multipart/form-data; boundary=${boundary}`,
    'content-length': body.length,
  });
  response.end(body);
}

const time = '2026-01-02T03:04:05.678Z';

const infoOf = ({ id, name, type, settings, dataSets }: StandInProject): Json => ({
  ...{
    id,
    name,
    type,
    settings,
    description: '',
    size: '1',
    workspaceId: 58,
    teamId: 7,
    createdAt: time,
    updatedAt: time,
  },
  ...{ imagesCount: dataSets.flatMap(({ images }) => images).length, datasetsCount: dataSets.length },
});

const dataSetInfo = ({ id, name, parentId, images }: StandInDataSet, project: StandInProject): Json => ({
  ...{ id, name, parentId, projectId: project.id, imagesCount: images.length, itemsCount: images.length },
  ...{ description: '', size: '1', createdAt: time, updatedAt: time },
});

const imageInfo = (
  { id, name, bytes, mime, width, height, annotation, link }: StandInImage,
  dataSet: StandInDataSet,
) => ({
  ...{
    id,
    name,
    mime,
    width,
    height,
    link: link ?? null,
    datasetId: dataSet.id,
    labelsCount: annotation.objects.length,
  },
  hash: link === undefined ? createHash('sha256').update(bytes).digest('base64') : null,
  // Some servers tell it as text.
  size: `${bytes.length}`,
  ...{
    meta: {},
    tags: [],
    createdAt: time,
    updatedAt: time,
    pathOriginal: `/h/${id}`,
    fullStorageUrl: `http://h/${id}`,
  },
});

const annotationInfo = ({ id, name, annotation }: StandInImage): Json => ({
  ...{ imageId: id, imageName: name, annotation, createdAt: time, updatedAt: time },
});

/** By numbers of pages, or by tokens. */
function paged(all: readonly Json[], { page, after, pagination_mode }: Json, perPage: number): Json {
  const total = all.length;
  const pagesCount = Math.ceil(total / perPage);
  if (pagination_mode !== 'token') {
    const begin = (Number(page ?? 1) - 1) * perPage;
    return { total, perPage, pagesCount, entities: all.slice(begin, begin + perPage) };
  }
  const begin = Number(after ?? 0);
  const next = begin + perPage;
  return { total, perPage, pagesCount, entities: all.slice(begin, next), after: next < total ? `${next}` : null };
}
