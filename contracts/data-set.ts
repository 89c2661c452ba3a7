/** Data sets that a worker offers: what they are, and images of them with what is marked on each. */
import { z } from 'zod';
import { relativePath } from './names.ts';
import { largestPart } from './run-files.ts';
import { extensible } from './tolerance.ts';

export const dataSetKindSchema = z.enum(['images', 'coco', 'yolo', 'supervisely', 'unknown']);
export type DataSetKind = z.infer<typeof dataSetKindSchema>;

export const dataSetSummarySchema = extensible({
  host: z.string(),
  /** Made from its path; the same as long as it stays there. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: z.string(),
  /** For `data` in a configuration: its path on the host. */
  data: z.string(),
  kind: dataSetKindSchema,
});
export type DataSetSummary = z.infer<typeof dataSetSummarySchema>;

export const dataSetDetailsSchema = extensible({
  ...dataSetSummarySchema.shape,
  images: z.int().min(0),
  /** In the data set's own order. `items`: images that have it; `marks`: boxes, masks or labels of it. */
  classes: z.array(
    extensible({ name: z.string(), items: z.int().min(0), marks: z.int().min(0), color: z.string().nullable() }),
  ),
  /** As the data set itself has them; one without a name has a single split `all`. */
  splits: z.array(extensible({ name: z.string(), items: z.int().min(0) })),
  /** What is wrong with it, the first of each kind, a sentence each. */
  problems: z.array(z.string()),
});
export type DataSetDetails = z.infer<typeof dataSetDetailsSchema>;

const point = z.tuple([z.number(), z.number()]);

/** Coordinates are pixels of the image, from its upper left corner. */
export const markSchema = z.discriminatedUnion('kind', [
  /** The whole image is of this class. */
  extensible({ kind: z.literal('label'), class: z.string() }),
  extensible({
    kind: z.literal('box'),
    class: z.string(),
    x: z.number(),
    y: z.number(),
    width: z.number(),
    height: z.number(),
  }),
  /** Outer rings first to last; even-odd filled. */
  extensible({ kind: z.literal('polygon'), class: z.string(), rings: z.array(z.array(point)) }),
  /** An image of the mask (PNG, base64) whose upper left corner is at x, y. */
  extensible({ kind: z.literal('bitmap'), class: z.string(), x: z.number(), y: z.number(), png: z.string() }),
  extensible({ kind: z.literal('points'), class: z.string(), points: z.array(point) }),
]);
export type Mark = z.infer<typeof markSchema>;

export const dataSetItemSchema = extensible({
  /** For the route `dataSetImage`: the image's path inside the data set. */
  item: relativePath,
  split: z.string(),
  /** Pixels; null where the image could not be read. */
  width: z.int().min(1).nullable(),
  height: z.int().min(1).nullable(),
  marks: z.array(markSchema),
  /** False: it has more marks than are sent. */
  allMarks: z.boolean(),
});
export type DataSetItem = z.infer<typeof dataSetItemSchema>;

export const dataSetItemsSchema = extensible({ items: z.array(dataSetItemSchema), total: z.int().min(0) });
export type DataSetItems = z.infer<typeof dataSetItemsSchema>;

// ── Questions to the control queue of a host: `listDataSets`, `dataSetDetails`, and these

const dataSetId = z.string().regex(/^[0-9a-f]{16}$/);

export const askDataSetItemsSchema = extensible({
  id: dataSetId,
  split: z.string().nullable(),
  className: z.string().nullable(),
  offset: z.int().min(0),
  limit: z.int().min(1).max(50),
});
export const sizeOfDataSetImageSchema = extensible({ id: dataSetId, item: relativePath });
export const readDataSetImageSchema = extensible({
  ...sizeOfDataSetImageSchema.shape,
  offset: z.int().min(0),
  length: z.int().min(1).max(largestPart),
});
