/** Projects of a Supervisely server on this host: downloaded once, resumed, shared, and never other than they were. */
import { existsSync, readdirSync, statSync, utimesSync, watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { StoreError } from '../../../stores/artifact-store.ts';
import { patient } from '../../../stores/retries.ts';
import { DataSetProblem } from '../../../worker/data-sets.ts';
import { ImageCache } from '../../../worker/supervisely/image-cache.ts';
import { imageNames } from '../../../worker/supervisely/project-layout.ts';
import { SuperviselyProjects } from '../../../worker/supervisely/projects.ts';
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
    expect(imageNames([{ id: 1, name: 'a.jpg', mime: `image/${'x'.repeat(300)}` }], 'ds').get(1)).toBe('a.jpg');
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
    // Whoever looks there meanwhile, or after a crash in the middle, finds all of it or nothing.
    const wasThere: boolean[] = [];
    const watcher = watch(join(old.path, 'ds2/img'), () => wasThere.push(existsSync(old.path)));
    const long = Date.now() / 1000 - month - 10;
    for (const path of [old.path, used.path, left]) await utimes(path, long, long);
    const project = exampleProject(9);
    project.dataSets.length = 1;
    addProject(stage.server.data, project);
    await stage.get('supervisely:9');
    await vi.waitFor(async () => expect(await readdir(join(used.path, '..'))).toEqual([used.path.split('/').at(-1)]));
    await vi.waitFor(() => expect(wasThere.length).toBeGreaterThan(0));
    watcher.close();
    expect(wasThere).not.toContain(true);
    expect(await filesIn(used.path)).toHaveLength(15);
  });

  it('that a run of another worker uses stays, and so does a download under way', async () => {
    const used = await stage.get(data);
    const before = Date.now() - 1000;
    const long = Date.now() / 1000 - month - 10;
    await utimes(used.path, long, long);
    stage.inUse.add(used.path).add('/a/folder/of/its/own');
    await stage.projects().keepUsed();
    expect((await stat(used.path)).mtimeMs).toBeGreaterThan(before);

    first().annotation.objects.pop();
    const times: number[] = [];
    stage.onProgress = (counted) => {
      const left = readdirSync(join(used.path, '..')).find((name) => name.startsWith('.'));
      if (counted?.total !== 7 || left === undefined) return;
      const path = join(used.path, '..', left);
      if (counted.done === 0) utimesSync(path, long, long);
      else times.push(statSync(path).mtimeMs);
    };
    await stage.get(data);
    expect(Math.min(...times)).toBeGreaterThan(before);
  });

  it('is whole where an image goes just before it is linked, and where there can be no links', async () => {
    vi.spyOn(ImageCache.prototype, 'has').mockResolvedValueOnce(true);
    const { path } = await stage.get(data);
    expect(await filesIn(path)).toHaveLength(15);
    // Another file system, as a rule.
    const elsewhere = await mkdtemp('/dev/shm/epochal-images-').catch(() => mkdtemp(join(tmpdir(), 'epochal-images-')));
    try {
      await rm(stage.folder, { recursive: true });
      await mkdir(stage.folder);
      await symlink(elsewhere, join(stage.folder, 'images'));
      expect(await filesIn((await stage.get(data)).path)).toHaveLength(15);
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });

  it('of a version that is here is not waited for while another one is downloaded', async () => {
    const there = await stage.get(data);
    const projects = new SuperviselyProjects(stage.folder, async () => stage.inUse, { ...patient, firstMs: 600_000 });
    vi.spyOn(stage.server.data, 'answer').mockImplementation(() => {
      throw new Error('busy');
    });
    const stopped = new AbortController();
    const told: string[] = [];
    const download = projects.get(data, { signal: stopped.signal, onProgress: (doing) => void told.push(doing) });
    await vi.waitFor(() => expect(told.at(-1)).toContain('trying again'));
    const options = { signal: new AbortController().signal, onProgress: () => undefined };
    expect(await projects.get(there.address, options)).toEqual(there);
    stopped.abort();
    await expect(download).rejects.toThrow();
  });

  it('cannot be written by accident, for its files are those of other runs', async () => {
    const { path } = await stage.get(data);
    for (const file of await filesIn(path)) expect((await stat(join(path, file))).mode & 0o777, file).toBe(0o444);
  });

  it('of a server that never ends fills neither the disk nor the time', async () => {
    const endless = async function* () {
      for (;;) yield Buffer.alloc(600);
    };
    const image = { id: 1, name: 'x', hash: null, size: 1000 };
    const added = new ImageCache(join(stage.folder, 'images'), 2000).add(
      ...([join(stage.folder, 'images/a/b'), image, endless(), new AbortController().signal] as const),
    );
    await expect(added).rejects.toMatchObject({ trouble: 'damaged', message: 'more than 2.0 KiB came' });

    const answer = stage.server.data.answer.bind(stage.server.data);
    const answers = (method: string, change: (found: object, json: { after?: unknown }) => object) =>
      vi.spyOn(stage.server.data, 'answer').mockImplementation((asked, json) => {
        const found = answer(asked, json);
        return asked === method && found && 'json' in found ? { json: change(found.json as object, json) } : found;
      });
    let pages = 0;
    answers('datasets.list', (found) => ({ ...found, pagesCount: 1e9, ...(++pages > 1 ? { entities: [] } : {}) }));
    await expect(stage.get(data)).rejects.toThrow('the server tells of 2 data sets, and says that there are 3');
    answers('images.list', (found, { after }) => ({ ...found, after: after === '3' ? '0' : '3' }));
    await expect(stage.get(data)).rejects.toThrow('the server gives pages of its list over and over');
    vi.restoreAllMocks();
    vi.spyOn(stage.server.data, 'answer').mockImplementation((asked, json) =>
      asked.startsWith('figures.') ? { parts: [['1', Buffer.from('{')]] } : answer(asked, json),
    );
    await expect(stage.get(data)).rejects.toThrow('cannot read alpha masks: no whole answer came');
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
      'with a name of two lines',
      change((project) => (first(project).name = 'a\nb.png')),
      'it has the image "a\\nb.png", which cannot be the name of a file',
      DataSetProblem,
    ],
    [
      'with a data set in the place of its classes',
      change((project) => ((project.dataSets[0] ?? { name: '' }).name = 'meta.json')),
      'it has the data set "meta.json", which cannot be the name of a file',
      DataSetProblem,
    ],
    [
      'of data sets too deep for a path',
      change((project) => {
        const [one] = project.dataSets;
        project.dataSets = Array.from({ length: 12 }, (_, index) => ({
          ...{ id: index + 1, name: 'd'.repeat(200), parentId: index || null, images: one?.images ?? [] },
        }));
      }),
      'is inside of too many others for the path of a file',
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
