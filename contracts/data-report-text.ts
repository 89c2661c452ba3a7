/** Sentences of a data report, for pages and the command line; `count` writes numbers as each of them does. */
import type { DataReport, DataSplit, DataSummary } from './data-report.ts';

type Count = (value: number) => string;

export function decodedText({ decoded, images }: Pick<DataSummary, 'decoded' | 'images'>, count: Count): string {
  if (decoded === null) return 'not checked';
  const failed = decoded.failed === 0 ? 'all intact' : `${count(decoded.failed)} damaged`;
  const left = Math.max(0, images + decoded.failed - decoded.images);
  return `${imagesText(decoded.images, count)}, ${failed}${left > 0 ? `; ${count(left)} not checked` : ''}`;
}

export function duplicatesText({ duplicates }: Pick<DataSummary, 'duplicates'>, count: Count): string {
  if (duplicates === null) return 'not checked';
  if (duplicates.images === 0) return 'none';
  return `${imagesText(duplicates.images, count)}, ${count(duplicates.acrossSplits)} of them in two splits`;
}

export function sizesText(sizes: NonNullable<DataReport['sizes']>, count: Count): string {
  const { smallest, median, largest, distinct } = sizes;
  const text = ({ width, height }: typeof median) => `${width} × ${height}`;
  if (distinct === 1) return `all ${text(median)}`;
  return `${text(smallest)} to ${text(largest)}, median ${text(median)}; ${count(distinct)} different`;
}

/** What was loaded of a split, beside what it promised; null where nobody knows. */
export function loadedText({ images, objects, loaded }: DataSplit, count: Count): string | null {
  if (!loaded) return null;
  if (loaded.images === images && loaded.objects === objects) return 'all loaded';
  return `loaded: ${imagesText(loaded.images, count)}, ${count(loaded.objects)} ${loaded.objects === 1 ? 'object' : 'objects'}`;
}

const imagesText = (images: number, count: Count) => `${count(images)} ${images === 1 ? 'image' : 'images'}`;
