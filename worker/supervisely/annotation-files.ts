/** Annotations and `meta.json` of a project as Supervisely's own downloads write them. */
import { z } from 'zod';
import { inPixels } from './pixel-coordinates.ts';
import type { ProjectApi, ProjectImage } from './project-api.ts';

type Json = Record<string, unknown>;

const masked = z.looseObject({ id: z.number(), geometryType: z.literal('alpha_mask'), bitmap: z.unknown().optional() });

/** Those of `images`, whose annotations these are, in the same order. */
export async function annotationFiles(
  annotations: readonly Json[],
  images: readonly ProjectImage[],
  api: Pick<ProjectApi, 'geometries'>,
): Promise<unknown[]> {
  const figures = annotations.flatMap((one) => objectsOf(one).flatMap((label) => maskOf(label)?.id ?? []));
  const geometries = figures.length > 0 ? await api.geometries(figures) : new Map<number, unknown>();
  return annotations.map((annotation, index) => {
    const objects = objectsOf(annotation).map((label) => {
      const mask = maskOf(label);
      return mask ? { ...mask, bitmap: geometries.get(mask.id) } : label;
    });
    const size = sizeOf(annotation, images[index]);
    return inPixels({ ...annotation, size, ...(Array.isArray(annotation.objects) ? { objects } : {}) });
  });
}

/** With what of the project's settings decides how images belong together. */
export const metaFile = (meta: Json, labelingInterface: unknown): Json => ({
  ...meta,
  projectType: meta.projectType ?? 'images',
  ...(labelingInterface
    ? {
        projectSettings: {
          multiView: { enabled: false, tagName: null, tagId: null, isSynced: false },
          labelingInterface,
        },
      }
    : {}),
});

/** In one way for the same content. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

const objectsOf = ({ objects }: Json): unknown[] => (Array.isArray(objects) ? objects : []);

const maskOf = (label: unknown) => masked.safeParse(label).data ?? null;

/** Of an image that lies elsewhere the server may not know it yet in the annotation. */
function sizeOf({ size }: Json, image: ProjectImage | undefined): unknown {
  const { width, height } = (size ?? {}) as { width?: unknown; height?: unknown };
  const isKnown = typeof width === 'number' && typeof height === 'number';
  return isKnown || !image?.width || !image.height ? size : { height: image.height, width: image.width };
}
