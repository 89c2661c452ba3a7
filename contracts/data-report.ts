/** The data report: what a data set holds and what is wrong with it, told before a run starts and kept with its results. */
import { z } from 'zod';
import { extensible } from './tolerance.ts';

/** Its name in the run folder and in the output folder. */
export const dataReportFile = 'data-report.json';
/** Bytes of a report as JSON, which the trainer keeps to: `epochal/data_report.py`. */
export const largestDataReport = 64 * 1024;

const count = z.int().min(0);
/** In pixels, as it is seen (after EXIF orientation). */
export const imageSizeSchema = extensible({ width: count, height: count });
/** Images of one size. */
export const sizeCountSchema = imageSizeSchema.extend({ images: count });

/** Sizes of a data set's images, by their area. */
export const imageSizesSchema = extensible({
  smallest: imageSizeSchema,
  median: imageSizeSchema,
  largest: imageSizeSchema,
  /** How many different ones there are. */
  distinct: count,
  /** The most frequent ones. */
  common: z.array(sizeCountSchema),
});

export const loadedCountsSchema = extensible({ images: count, objects: count });

export const dataSplitSchema = extensible({
  name: z.string(),
  /** `train` and `validate` are what a run reads; `unused` is not trained on, such as a test split. */
  role: z.enum(['train', 'validate', 'unused']),
  images: count,
  /** Marked objects; a class of a whole image counts as one. */
  objects: count,
  /** Images with nothing marked on them: negatives. */
  unmarked: count,
  /** What the framework that trains loads of it: in a check by its rules, in a run as it was. Null where nobody compared it. */
  loaded: loadedCountsSchema.nullish(),
});
export type DataSplit = z.infer<typeof dataSplitSchema>;

/** How often a class is there: one number for each split of the report. */
export const classCountsSchema = extensible({ name: z.string(), images: z.array(count), objects: z.array(count) });

/** One place of a finding. */
export const findingExampleSchema = extensible({
  detail: z.string(),
  /** Path inside the data set, where the place is in an image of it. */
  image: z.string().nullable(),
});

export const dataFindingSchema = extensible({
  kind: z.string(),
  /** `leftOut`: it is not trained on, or the data set is refused; `noted`: it makes no difference, or was mended. */
  effect: z.enum(['leftOut', 'noted']),
  count: z.int().min(1),
  /** The first places, at most 20. */
  examples: z.array(findingExampleSchema),
});
export type DataFinding = z.infer<typeof dataFindingSchema>;

/** Images with the content of another one, byte for byte. */
export const duplicatesSchema = extensible({
  /** Beyond the first of each. */
  images: count,
  /** Those of them whose first is in another split: what is validated with was trained on. */
  acrossSplits: count,
});
/** Images that were read to their last pixel (fewer than there are where time ran out), and those that cannot be. */
export const decodedSchema = extensible({ images: count, failed: count });

export const dataReportSchema = extensible({
  reportVersion: z.literal(1),
  kind: z.string(),
  folder: z.string(),
  images: count,
  objects: count,
  /** How the split was made, and the hash of the images' names in each part; null where there is none. */
  splitBy: z.string().nullable(),
  splitSha256: z.string().nullable(),
  splits: z.array(dataSplitSchema),
  /** All of them; `classes` may be cut to the most and the least frequent. */
  classCount: count,
  classes: z.array(classCountsSchema),
  sizes: imageSizesSchema.nullable(),
  findings: z.array(dataFindingSchema),
  /** Null: not checked. */
  duplicates: duplicatesSchema.nullable(),
  decoded: decodedSchema.nullable(),
});
export type DataReport = z.infer<typeof dataReportSchema>;

/** How often each class is there: by its objects, or by the images that have it where pixels are marked and no objects. */
export function classBalance({ objects, classes }: DataReport) {
  const unit = objects > 0 ? 'Objects' : 'Images';
  return { unit, classes: classes.map((one) => ({ name: one.name, counts: objects > 0 ? one.objects : one.images })) };
}

/** Findings that a receipt counts. */
const mostFindings = 40;

/** What of it goes into the receipt: counts and hashes. */
export const dataSummarySchema = extensible({
  kind: z.string(),
  images: count,
  objects: count,
  classCount: count,
  splitBy: z.string().nullable(),
  splitSha256: z.string().nullable(),
  splits: z.array(dataSplitSchema),
  findings: z.array(dataFindingSchema.omit({ examples: true })),
  duplicates: duplicatesSchema.nullable(),
  decoded: decodedSchema.nullable(),
});
export type DataSummary = z.infer<typeof dataSummarySchema>;

export function dataSummaryOf(report: DataReport): DataSummary {
  const { kind, images, objects, classCount, splitBy, splitSha256, splits, findings, duplicates, decoded } = report;
  return {
    ...{ kind, images, objects, classCount, splitBy, splitSha256, duplicates, decoded },
    splits: splits.slice(0, mostFindings),
    findings: findings.slice(0, mostFindings).map(({ kind, effect, count }) => ({ kind, effect, count })),
  };
}

/** A report as a file has it; null for what is none, such as one of another version. */
export function readDataReport(text: string): DataReport | null {
  try {
    return dataReportSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
