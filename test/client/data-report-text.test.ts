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
