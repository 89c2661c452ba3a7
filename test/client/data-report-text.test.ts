import { expect, it } from 'vitest';
import { dataReportText } from '../../client/cli/data-report-text.ts';
import type { DataReport } from '../../contracts/data-report.ts';

const report: DataReport = {
  reportVersion: 1,
  kind: 'domains',
  folder: '/data',
  images: 3,
  objects: 0,
  splitBy: null,
  splitSha256: null,
  splits: [],
  classCount: 2,
  classes: [
    { name: 'road', images: [2, 1], objects: [0, 0] },
    { name: 'sky', images: [1, 0], objects: [0, 0] },
  ],
  sizes: null,
  findings: [],
  duplicates: null,
  decoded: null,
};

it('counts a class by its objects, or by its images where pixels are marked', () => {
  expect(dataReportText(report)).toContain('2, images of each: road 3, sky 1');
  const marked = { ...report, objects: 9, classes: [{ name: 'car', images: [2, 1], objects: [6, 3] }] };
  expect(dataReportText(marked)).toContain('2, objects of each: car 9');
});

it('sets what was loaded of a split beside what it promised', () => {
  const split = { name: 'train', role: 'train', images: 3, objects: 9, unmarked: 1 } as const;
  const text = (loaded: { images: number; objects: number } | null) =>
    dataReportText({ ...report, splits: [{ ...split, loaded }] });
  const promised = 'train 3 images with 9 objects, 1 without annotations';
  expect(text({ images: 2, objects: 9 })).toContain(`${promised} (loaded: 2 images, 9 objects)`);
  expect(text({ images: 3, objects: 9 })).toContain(`${promised} (all loaded)`);
  expect(text(null)).not.toContain('loaded');
});
