/** Projects of a Supervisely server on this host: downloaded once, resumed, shared, and never other than they were. */
import { mkdir, readdir, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../../stores/artifact-store.ts';
import { DataSetProblem } from '../../../worker/data-sets.ts';
import type { StandInProject } from '../../stores/servers/project-stand-in.ts';
import { addProject, exampleProject } from './example-project.ts';
import { ProjectStage } from './project-stage.ts';

const stage = new ProjectStage();
const data = 'supervisely:1951';
const month = 30 * 24 * 3600;

const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort();

const first = (project: StandInProject | undefined = stage.server.data.projects[0]) => {
  const image = project?.dataSets[0]?.images[0];
  if (!image) throw new Error('no image');
  return image;
};

describe('a project', () => {
  stage.hooks();

  it('is downloaded once, as Supervisely has it in a folder, and says which version that is', async () => {
    const { path, address } = await stage.get(data);
    expect(address).toMatch(/^supervisely:1951@[0-9a-f]{16}$/);
    const names = ['195101.png', '195102.png', '195103.png', '195104.png', '195105.png'].map(
      (one) => `ds 1/img/${one}`,
    );
    const images = [...names, 'ds 1/datasets/inner/img/ä ö & 100%.png', 'ds2/img/a.jpg.png'];
    const annotations = images.map((one) => `${one.replace('/img/', '/ann/')}.json`);
    expect(await filesIn(path)).toEqual(['meta.json', ...images, ...annotations].sort());
    for (const image of stage.server.data.projects[0]?.dataSets[0]?.images ?? [])
      expect(Buffer.compare(await readFile(join(path, 'ds 1/img', image.name)), image.bytes)).toBe(0);
    const { objects } = JSON.parse(await readFile(join(path, 'ds 1/ann/195101.png.json'), 'utf8'));
    expect(objects[0].points.exterior).toEqual([
      [2, 1],
      [3, 4],
    ]);
    expect(objects[6].bitmap.origin).toEqual([3, 2]);
    expect(stage.told.at(-1)).toEqual(['download Supervisely project 1951: images', { done: 7, total: 7 }]);

    stage.server.asked.length = 0;
    expect(await stage.get(data)).toEqual({ path, address });
    expect(stage.count('images.download')).toBe(0);
    // Of a version that is here nobody is asked: the server may be away.
    await stage.server.close();
    expect(await stage.get(address)).toEqual({ path, address });
    expect(await filesIn(stage.folder)).toHaveLength(7 + 15);
  });

  it('is resumed after a crash: what came before it is not asked for again', async () => {
    const crash = new AbortController();
    stage.onProgress = (counted) => {
      if (counted?.total === 7 && counted.done === 3) crash.abort(new Error('crash'));
    };
    await expect(stage.get(data, { signal: crash.signal })).rejects.toThrow('crash');
    const there = (await filesIn(join(stage.folder, 'images'))).length;
    expect(there).toBeGreaterThanOrEqual(3);
    stage.server.asked.length = 0;
    await stage.get(data);
    expect(stage.count('images.download')).toBe(7 - there);
  });

  it('is tried again where the server breaks off, is busy, or sends other bytes, and fails as a whole', async () => {
    const image = first();
    const { bytes } = image;
    const answer = stage.server.data.answer.bind(stage.server.data);
    let damaged = 1;
    vi.spyOn(stage.server.data, 'answer').mockImplementation((method, json) => {
      const found = answer(method, json);
      return method === 'images.download' && json.id === image.id && damaged-- > 0
        ? { bytes: Buffer.alloc(bytes.length) }
        : found;
    });
    const { path } = await stage.get(data, { tries: 3 });
    expect(Buffer.compare(await readFile(join(path, 'ds 1/img', image.name)), bytes)).toBe(0);
    expect(stage.told.map(([doing]) => doing)).toContain(
      `cannot download image ${image.name}: the bytes that came were others; trying again in 1 s`,
    );
    damaged = 9;
    const other = exampleProject(7);
    other.dataSets[0]?.images.push({ ...image, id: image.id, bytes: Buffer.from('new') });
    image.bytes = Buffer.from('of the same image, and new');
    await expect(stage.get(data, { tries: 2 })).rejects.toThrow('the bytes that came were others');
    expect(await readdir(join(path, '..'))).toEqual([path.split('/').at(-1)]);
  });

  it('shares its images with others that have the same', async () => {
    await stage.get(data);
    const other = exampleProject(8);
    other.dataSets = [{ id: 80, name: 'copy', parentId: null, images: [{ ...first(), id: 81, name: 'copy.png' }] }];
    addProject(stage.server.data, other);
    stage.server.asked.length = 0;
    const { path } = await stage.get('supervisely:8');
    expect(stage.count('images.download')).toBe(0);
    expect((await stat(join(path, 'copy/img/copy.png'))).nlink).toBe(3);
  });

  it('that has changed is another version; who asks for the one before gets that, or nothing', async () => {
    const before = await stage.get(data);
    first().annotation.objects.pop();
    const after = await stage.get(data);
    expect(after.address).not.toBe(before.address);
    expect(await stage.get(before.address)).toEqual(before);
    const annotation = async ({ path }: { path: string }) =>
      JSON.parse(await readFile(join(path, 'ds 1/ann/195101.png.json'), 'utf8')).objects.length;
    expect([await annotation(before), await annotation(after)]).toEqual([9, 8]);
    await expect(stage.get('supervisely:1951@0123456789abcdef')).rejects.toThrow(
      'project 1951 has changed since it was 0123456789abcdef, which this host does not have: without @0123456789abcdef it is what it is now',
    );
    expect(stage.count('images.download')).toBe(7);
  });

  it('that no run uses is removed after a month; what attempts left is, sooner', async () => {
    const old = await stage.get(data);
    const used = await stage.get('supervisely:1951').then(async () => {
      first().annotation.objects.pop();
      return stage.get(data);
    });
    stage.inUse.add(used.path);
    const left = join(used.path, '..', '.left.tmp');
    await mkdir(left);
    const long = Date.now() / 1000 - month - 10;
    for (const path of [old.path, used.path, left]) await utimes(path, long, long);
    const project = exampleProject(9);
    project.dataSets.length = 1;
    addProject(stage.server.data, project);
    await stage.get('supervisely:9');
    expect(await readdir(join(used.path, '..'))).toEqual([used.path.split('/').at(-1)]);
    expect(await filesIn(used.path)).toHaveLength(15);
  });

  const change = (how: (project: StandInProject) => void) => () => how(stage.server.data.projects[0] as StandInProject);
  it.each<[string, () => void, string, typeof DataSetProblem | typeof StoreError]>([
    [
      'not there',
      () => (stage.server.data.projects.length = 0),
      "the server has no project 1951, or does not show it to the user of this worker's API_TOKEN",
      DataSetProblem,
    ],
    [
      'of another kind',
      change((project) => (project.type = 'videos')),
      'project 1951 is of videos: only a project of images can be trained on',
      DataSetProblem,
    ],
    ['empty', change((project) => (project.dataSets = [])), 'project 1951 has no images', DataSetProblem],
    [
      'with a name that leads out',
      change((project) => (first(project).name = '../x')),
      'it has the image "../x", which cannot be the name of a file',
      DataSetProblem,
    ],
    [
      'with such a data set',
      change((project) => ((project.dataSets[0] ?? { name: '' }).name = '..')),
      'it has the data set "..", which cannot',
      DataSetProblem,
    ],
    [
      'with two images of one name',
      change((project) => (first(project).name = '195102.png')),
      'it has two images of ds 1 that would be "195102.png"',
      DataSetProblem,
    ],
    [
      'without a server',
      () => vi.stubEnv('SERVER_ADDRESS', ''),
      'cannot read project 1951: API_TOKEN of this worker has no SERVER_ADDRESS beside it',
      StoreError,
    ],
    [
      'behind an expired token',
      () => vi.stubEnv('API_TOKEN', 'expired'),
      'cannot read project 1951: the server does not accept the token, or it has expired: renew API_TOKEN of this worker (HTTP 401)',
      StoreError,
    ],
    [
      'on a server that is away',
      () => void vi.stubEnv('SERVER_ADDRESS', 'http://127.0.0.1:1'),
      'cannot read project 1951: nobody answers at its endpoint',
      StoreError,
    ],
  ])('that is %s is refused in a sentence', async (_, arrange, message, kind) => {
    arrange();
    const error = await stage.get(data).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(message);
    expect(JSON.stringify(error)).not.toContain('expired"');
    expect(await filesIn(stage.folder)).toEqual([]);
  });
});
