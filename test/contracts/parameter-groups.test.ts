/** Where the form of a new run shows which parameters. */
import { expect, it } from 'vitest';
import { readLayout } from '../../contracts/ui.ts';
import { classesToChoose, dataSetsFor, textsIn, writtenChoice } from '../../web/src/wizard/form-choices.ts';
import { isMet, picked, replaced, schemaOf, wholeForm } from '../../web/src/wizard/parameter-groups.ts';

const schema = {
  type: 'object',
  properties: { optimizer: { default: 'SGD' }, momentum: {}, epochs: {}, lr: {} },
  required: ['lr', 'epochs'],
  $defs: { a: {} },
};

it('shows each parameter once: as the form says, and the others below it', () => {
  expect(wholeForm(null, schema)).toMatchObject({ kind: 'fields', names: ['optimizer', 'momentum', 'epochs', 'lr'] });
  const form = readLayout({
    kind: 'container',
    children: [
      { kind: 'fields', names: ['lr', 'gone'] },
      {
        kind: 'tabs',
        tabs: [{ title: 'T', children: [{ kind: 'card', children: [{ kind: 'fields', names: ['momentum'] }] }] }],
      },
      // Of a newer SDK, or damaged.
      { kind: 'fields', names: 'optimizer' },
      { kind: 'wheel', children: [{ kind: 'dataPicker' }, { kind: 'classPicker', name: 'epochs' }] },
    ],
  });
  expect(wholeForm(form, schema)).toMatchObject({
    children: [form, { kind: 'fields', title: 'Other parameters', names: ['optimizer'] }],
  });
  expect(schemaOf(schema, ['lr', 'gone', 'momentum'])).toEqual({
    type: 'object',
    properties: { lr: {}, momentum: {} },
    required: ['lr'],
    $defs: { a: {} },
  });
});

it('shows a group while its condition is met, by defaults too', () => {
  expect(isMet({}, {}, schema)).toBe(true);
  expect(isMet({ optimizer: ['SGD', 'Adam'] }, {}, schema)).toBe(true);
  expect(isMet({ optimizer: ['SGD'] }, { optimizer: 'AdamW' }, schema)).toBe(false);
  expect(isMet({ optimizer: ['SGD'], lr: [1] }, { lr: 2 }, schema)).toBe(false);
  expect(isMet({ gone: [1] }, {}, schema)).toBe(false);
});

it('offers the data sets that a trainer reads, and the classes of the chosen one', () => {
  const dataSet = (data: string, kind: 'coco' | 'yolo', host = 'a') => ({
    host,
    id: '0'.repeat(16),
    name: data,
    data,
    kind,
  });
  const offered = [dataSet('/x', 'coco'), dataSet('/y', 'yolo'), dataSet('/x', 'coco', 'b')];
  expect(dataSetsFor(['coco', 'csv'], offered)).toEqual([dataSet('/x', 'coco')]);
  expect(dataSetsFor(['csv'], offered).map(({ data }) => data)).toEqual(['/x', '/y']);
  expect(textsIn(['cat', 5, 'cat', 'dog'])).toEqual(['cat', 'dog']);
  expect(textsIn('cat')).toEqual([]);
  expect(
    classesToChoose(
      [
        { name: 'cat', marks: 1200 },
        { name: 'cat', marks: 1200 },
      ],
      ['dog', 'cat'],
    ),
  ).toEqual([
    { value: 'cat', label: 'cat (1,200)' },
    { value: 'dog', label: 'dog (not in the data set)' },
  ]);
  expect(writtenChoice('classes', [], [])).toEqual({});
  expect(writtenChoice('classes', [], ['cat'])).toEqual({ classes: [] });
});

it('changes the parameters of one group, and takes away those that were cleared', () => {
  const values = { lr: 1, optimizer: 'SGD', momentum: 0.5 };
  expect(Object.entries(replaced(values, ['lr', 'momentum', 'epochs'], { epochs: 3, lr: 2 }))).toEqual([
    ['lr', 2],
    ['optimizer', 'SGD'],
    ['epochs', 3],
  ]);
  expect(picked(values, ['lr', 'epochs'])).toEqual({ lr: 1 });
});
