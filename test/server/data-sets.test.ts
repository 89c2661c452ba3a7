/** Data sets of a worker over HTTP: real formats, read by the readers that the trainers use. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readDataReport } from '../../contracts/data-report.ts';
import { ensureEnvironment } from '../../worker/python-environments.ts';
import { TestHost } from '../support/test-host.ts';
import { TestServer } from '../support/test-server.ts';

const makeShapes = fileURLToPath(new URL('../../trainers/examples/make_shapes.py', import.meta.url));
const formats = ['images', 'coco', 'yolo', 'supervisely'] as const;

let folder: string;
let host: TestHost;
let server: TestServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-data-sets-'));
  const { python } = await ensureEnvironment({ requirements: ['numpy==2.4.6', 'pillow==13.0.0', 'PyYAML==6.0.3'] });
  for (const format of formats) {
    execFileSync(python, [
      makeShapes,
      '--format',
      format,
      '--count',
      '12',
      '--size',
      '64',
      join(folder, `shapes-${format}`),
    ]);
  }
  await mkdir(join(folder, 'nothing-known'));
  host = await TestHost.start({ settings: { dataSetsFolders: [folder] } });
  server = await TestServer.start(host);
}, 300_000);
afterAll(async () => {
  await server?.stop();
  await host?.stop();
  await rm(folder, { recursive: true, force: true });
});

const listed = async () => (await server.ask('dataSets', { query: { pool: host.settings.pool } })).body;

it('lists what is a data set, with its kind', async () => {
  const { dataSets, silent } = await listed();
  expect(silent).toEqual([]);
  expect(dataSets.map(({ name, kind }) => [name, kind])).toEqual(
    formats.toSorted().map((format) => [`shapes-${format}`, format]),
  );
});

it.each(formats)('tells classes, splits and images with their marks: %s', async (format) => {
  const summary = (await listed()).dataSets.find(({ kind }) => kind === format);
  const params = { host: host.worker.host.id, dataSet: summary?.id ?? '' };
  const { body: details } = await server.ask('dataSet', { params });
  expect(details).toMatchObject({ images: 12, kind: format, data: join(folder, `shapes-${format}`) });
  expect(details.classes.map(({ name }) => name).sort()).toEqual(['circle', 'square', 'triangle']);
  expect(details.splits.reduce((sum, { items }) => sum + items, 0)).toBe(12);
  const { body: page } = await server.ask('dataSetItems', { params, query: { limit: 5, offset: 1 } });
  expect(page.total).toBe(12);
  expect(page.items).toHaveLength(5);
  for (const { marks, width } of page.items) {
    expect(marks.length).toBeGreaterThan(0);
    expect(width).toBe(64);
  }
  const kinds = new Set(page.items.flatMap(({ marks }) => marks.map(({ kind }) => kind)));
  expect([...kinds].some((kind) => (format === 'images' ? kind === 'label' : kind !== 'label'))).toBe(true);
  const { body: circles } = await server.ask('dataSetItems', { params, query: { class: 'circle', limit: 50 } });
  expect(circles.total).toBe(details.classes.find(({ name }) => name === 'circle')?.items);
  const [first] = page.items;
  const image = await fetch(
    `${server.address}/api/hosts/${params.host}/data-sets/${params.dataSet}/image?item=${encodeURIComponent(first?.item ?? '')}`,
  );
  expect(image.status).toBe(200);
  expect(image.headers.get('content-type')).toMatch(/^image\//);
  expect((await image.arrayBuffer()).byteLength).toBe(Number(image.headers.get('content-length')));
});

it('tells what a run would train on, and keeps it with what was trained', async () => {
  const data = join(folder, 'shapes-coco');
  const config = { trainer: 'looker', epochs: 1, pool: host.settings.pool, data, seed: 3 };
  const { body: checked } = await server.ask('check', { body: { config } });
  expect(checked).toMatchObject({ ok: true, dataReport: { kind: 'coco', folder: data, images: 12, duplicates: null } });
  const told = checked.dataReport;
  expect(told?.splits.map(({ name, role }) => [name, role])).toEqual([
    ['train', 'train'],
    ['val', 'validate'],
  ]);

  // Refused: what is wrong is named, with the images that show it.
  const [gone = ''] = await readdir(join(data, 'images', 'train'));
  await rename(join(data, 'images', 'train', gone), join(folder, gone));
  const { body: refused } = await server.ask('check', { body: { config } });
  expect(refused).toMatchObject({ ok: false, problems: [{ field: 'data' }] });
  expect(refused.dataReport?.findings).toMatchObject([{ kind: 'missing image', effect: 'leftOut', count: 1 }]);
  await rename(join(folder, gone), join(data, 'images', 'train', gone));

  const run = await host.start(config);
  const receipt = await run.result();
  // Every image was decoded and compared before the first epoch, which a check before the start does not wait for.
  const looked = { ...(told ?? expect.fail('no report')), decoded: { images: 12, failed: 0 } };
  // And what its framework made of it is told beside what was promised.
  const splits = looked.splits.map((split) => ({ ...split, loaded: { images: split.images, objects: split.objects } }));
  const trained = { ...looked, splits, duplicates: { images: 0, acrossSplits: 0 } };
  const { sizes: _, classes: __, folder: ___, reportVersion: ____, ...counts } = trained;
  expect(receipt.data).toEqual({ ...counts, findings: counts.findings.map(({ examples: _, ...one }) => one) });
  // The whole of it is published, and no message of the workflow has it.
  const file = await fetch(`${server.address}/api/runs/${run.id}/file?path=data-report.json`);
  expect(readDataReport(await file.text())).toEqual(trained);
  const history = JSON.stringify(await run.handle.fetchHistory());
  const read = history.replace(/"data":"([^"]+)"/g, (_, data: string) => Buffer.from(data, 'base64').toString());
  expect(['splitSha256', 'dataReport'].map((word) => read.includes(word))).toEqual([true, false]);
});

it('shows no image from outside, whatever the path or a link says', async () => {
  const summary = (await listed()).dataSets.find(({ kind }) => kind === 'images');
  const params = { host: host.worker.host.id, dataSet: summary?.id ?? '' };
  const secret = join(tmpdir(), `epochal-secret-${process.pid}.png`);
  await writeFile(secret, 'secret');
  await symlink(secret, join(summary?.data ?? '', 'link.png'));
  try {
    expect(await server.ask('dataSetImage', { params, query: { item: 'link.png' } })).toMatchObject({ status: 404 });
    for (const item of ['../secret.png', '/etc/hostname.png', 'a/../../b.png', 'a\0.png', 'a\\b.png']) {
      expect(await server.ask('dataSetImage', { params, query: { item } })).toMatchObject({
        status: 400,
        body: { problems: [{ field: 'item' }] },
      });
    }
    expect(await server.ask('dataSet', { params: { ...params, dataSet: '0123456789abcdef' } })).toMatchObject({
      status: 400,
    });
  } finally {
    await rm(secret);
  }
});
