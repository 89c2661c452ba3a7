/**
 * What widgets have shown: `pages.jsonl` of the run folder, one row per line. A row has its value, or names the file that has it. A widget's
 * newest value is always there, of those before it every n-th; all of it has at most 64 MiB. The SDK writes it (`epochal/ui/pages.py`).
 */
import { z } from 'zod';
import { positionSchema } from './checkpoint.ts';
import { extensible } from './tolerance.ts';
import { alertColors, type WidgetKind } from './ui.ts';

/** One that is larger was not written by the SDK, and is nobody's to read whole. */
export const mostPageRowsBytes = 32 << 20;
/** Of a value that is a file of its own. */
export const largestPageValue = 1 << 20;

/** Nothing else of a run is reached by a value. */
const pageFile = z.string().regex(/^pages\/[0-9a-f]{32}\.(json|png|jpg|webp|gif)$/);

export const pageRowSchema = extensible({
  widget: z.string().min(1).max(100),
  /** 1-based: the one under way. */
  epoch: z.int().min(0),
  /** A run that goes back before it drops the row. */
  position: positionSchema,
  at: z.iso.datetime(),
  /** One of these three: the value, the file that has it, or why there is none. */
  value: z.json().optional(),
  file: pageFile.optional(),
  problem: z.string().max(1_000).optional(),
  /** All files that the row needs, with their sizes in bytes. */
  files: z.record(pageFile, z.int().min(0)),
});
export type PageRow = z.infer<typeof pageRowSchema>;

/** Of two rows with one key the later counts. */
export const keyOfPageRow = ({ widget, epoch, position }: PageRow): string =>
  `${widget}/${epoch}/${position.epoch}/${position.batch}`;

/** Rows that are told: the SDK keeps a hundred per widget. */
const mostPageRows = 10_000;

/** Of two with one key the later one: it was shown again. */
export function latestPageRows(rows: readonly PageRow[]): PageRow[] {
  const latest = new Map<string, PageRow>();
  for (const row of rows) {
    latest.delete(keyOfPageRow(row));
    latest.set(keyOfPageRow(row), row);
  }
  return [...latest.values()].slice(-mostPageRows);
}

const numbers = z.array(z.number().nullable()).max(5_000);
const name = z.string().max(200);
/** How many there were, of which these are some; null: more, and nobody counted. */
const of = z.int().min(0).nullable();
const words = extensible({ text: z.string().max(300_000) });

export const imageSchema = extensible({
  file: pageFile.nullable(),
  /** Of the original, which marks are measured in. */
  width: z.number().min(0),
  height: z.number().min(0),
  problem: z.string().max(1_000).optional(),
});
export type PageImage = z.infer<typeof imageSchema>;

const point = z.tuple([z.number(), z.number()]);
const about = { class: name, score: z.number().optional() };
const markSchemas = [
  extensible({
    kind: z.literal('box'),
    ...about,
    ...{ x: z.number(), y: z.number(), width: z.number(), height: z.number() },
  }),
  extensible({ kind: z.literal('polygon'), ...about, points: z.array(point).max(1_000) }),
  extensible({
    kind: z.literal('keypoints'),
    ...about,
    points: z.array(point.nullable()).max(1_000),
    links: z.array(z.tuple([z.int().min(0), z.int().min(0)])).max(1_000),
  }),
  extensible({ kind: z.literal('mask'), ...about, ...imageSchema.shape }),
] as const;
const knownMark = z.discriminatedUnion('kind', markSchemas);
export type PageMark = z.infer<typeof knownMark>;
/** Of one that a newer SDK draws nothing is drawn. */
const marksSchema = z
  .array(z.unknown())
  .max(1_000)
  .transform((marks) => marks.flatMap((mark) => knownMark.safeParse(mark).data ?? []));

export const gridImageSchema = extensible({
  ...imageSchema.shape,
  caption: z.string().max(1_000),
  marks: marksSchema,
});
export type GridImage = z.infer<typeof gridImageSchema>;

const seriesOf = z.int().min(0);
const points = z.array(extensible({ name, of: z.int().min(0), x: numbers, y: numbers })).max(100);

/** By the kind of the widget. */
export const valueSchemas = {
  text: words,
  markdown: words,
  alert: extensible({ ...words.shape, color: z.enum(alertColors).catch('info') }),
  html: words,
  progress: extensible({ done: z.number().nullable(), total: z.number().nullable(), text: z.string().max(1_000) }),
  image: extensible({ image: imageSchema, caption: z.string().max(1_000) }),
  imagePair: extensible({ before: imageSchema, after: imageSchema, caption: z.string().max(1_000) }),
  imageGrid: extensible({ images: z.array(gridImageSchema).max(200), of }),
  lineChart: extensible({ series: points, seriesOf }),
  scatterChart: extensible({ series: points, seriesOf }),
  barChart: extensible({
    names: z.array(name).max(1_000),
    series: z.array(extensible({ name, values: numbers })).max(100),
    of,
  }),
  histogram: extensible({ edges: z.array(z.number()).max(1_001), counts: z.array(z.number()).max(1_000), leftOut: of }),
  heatMap: extensible({
    values: z.array(numbers).max(1_000),
    rows: z.array(name).max(1_000),
    columns: z.array(name).max(1_000),
    of: z.tuple([z.int(), z.int()]),
  }),
  confusionMatrix: extensible({
    classes: z.array(name).max(200),
    counts: z.array(z.array(z.number()).max(200)).max(200),
    leftOut: z.int().min(0),
  }),
  prCurve: extensible({
    series: z
      .array(extensible({ name, recall: numbers, precision: numbers, ap: z.number().nullable(), of: z.int().min(0) }))
      .max(100),
    seriesOf,
  }),
  table: extensible({
    columns: z.array(name).max(100),
    rows: z.array(z.array(z.union([z.string().max(1_000), z.number(), z.boolean(), z.null()])).max(100)).max(2_000),
    of,
  }),
} as const satisfies Record<WidgetKind, z.ZodType>;
export type ValueOf<K extends WidgetKind> = z.output<(typeof valueSchemas)[K]>;
