/** Supervisely's own SDK on the other side: what one of the two writes the other one reads, with equal hashes. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SuperviselyTask } from '../../../observers/supervisely-task.ts';
import { openFolder, openStore } from '../../../stores/open-store.ts';
import { SuperviselyProjects } from '../../../worker/supervisely/projects.ts';
import { inProcess } from '../../support/command-line.ts';
import { observedRun } from '../../support/observed-run.ts';
import { addProject, exampleProject } from '../../worker/supervisely/example-project.ts';
import { landRun } from '../landed-run.ts';
import { FaultProxy, type Seen } from './fault-proxy.ts';
import { withVariables } from './object-stage.ts';
import { sha256 } from './store-contract.ts';
import { refusal, server, teamFiles, teamFilesEnvironment } from './team-files-stage.ts';
import { TeamFilesStandIn } from './team-files-stand-in.ts';

interface Told {
  path: string;
  hash: string;
  size: number;
}

let child: ChildProcessWithoutNullStreams;
let ended: Promise<never>;
let lines: Interface;
let said = '';

async function sdk<T = Told[]>(...call: unknown[]): Promise<T> {
  const line = once(lines, 'line') as Promise<[string]>;
  child.stdin.write(`${JSON.stringify(call)}\n`);
  const [text] = await Promise.race([line, ended]);
  const { answer, error } = JSON.parse(text) as { answer: T; error?: string };
  if (error !== undefined) throw new Error(error);
  return answer;
}

const hashOf = (bytes: Uint8Array) => Buffer.from(sha256(bytes), 'hex').toString('base64');
const byPath = <T extends { path: string }>(some: readonly T[]) => [...some].sort((a, b) => (a.path < b.path ? -1 : 1));

/** More than one page of any list, and some that are larger than one part. */
const contents = new Map<string, Buffer>([
  ['checkpoints/epoch-0001/model.bin', randomBytes(2_500_001)],
  ['checkpoints/epoch-0001/checkpoint.json', Buffer.from('{"epoch":1}\n')],
  ['logs/empty.log', Buffer.alloc(0)],
  ['logs/trainer.log', randomBytes(5000)],
  ['config.yaml', Buffer.from('trainer: digits\n')],
  ['a b/ä ö & 100% + 漢.txt', Buffer.from('names are what they are\n')],
  ['receipt.json', Buffer.from('{}\n')],
]);

describe.skipIf(server.sdk === null)('the SDK of Supervisely', () => {
  teamFiles.hooks();
  beforeAll(() => {
    const program = fileURLToPath(new URL('team_files_sdk.py', import.meta.url));
    child = spawn(server.sdk ?? '', [program], {
      env: {
        ...process.env,
        ...teamFilesEnvironment(teamFiles.proxy.endpoint),
        SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK: '1',
      },
    });
    child.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)));
    lines = createInterface(child.stdout);
    ended = once(child, 'close').then(() => {
      throw new Error(`the SDK has ended: ${said}`);
    });
    ended.catch(() => undefined);
  });
  afterAll(async () => {
    child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  });

  const folder = () => `${teamFiles.address.slice('teamfiles:'.length)}/experiments/p/r`;
  const expected = (at: string) =>
    byPath([...contents].map(([path, bytes]) => ({ path: `${at}/${path}`, hash: hashOf(bytes), size: bytes.length })));

  const filled = async (name: string) => {
    for (const [path, bytes] of contents) {
      const file = join(teamFiles.folder, name, path);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, bytes);
    }
    return join(teamFiles.folder, name);
  };

  it('lists, finds and downloads what our store has, whole, by range and as a folder', async () => {
    const store = teamFiles.inSmallParts();
    const local = await filled('ours');
    for (const path of contents.keys()) await store.publish(join(local, path), `experiments/p/r/${path}`);
    expect(byPath(await sdk('list', folder()))).toEqual(expected(folder()));
    expect(byPath(await sdk('pages', folder()))).toEqual(expected(folder()));
    expect(await sdk('exists', `${folder()}/logs/`)).toBe(true);
    const [path = '', bytes = Buffer.alloc(0)] = [...contents][0] ?? [];
    expect(await sdk('info', `${folder()}/${path}`)).toEqual([
      { path: `${folder()}/${path}`, hash: hashOf(bytes), size: bytes.length },
    ]);
    for (const [way, index] of [
      ['download', 0],
      // This one compares the hash that comes with the bytes.
      ['download_async', 1],
    ] as const) {
      for (const [path, bytes] of contents) {
        const back = join(teamFiles.folder, `back-${index}`, path);
        await mkdir(join(back, '..'), { recursive: true });
        await sdk(way, `${folder()}/${path}`, back);
        expect(sha256(await readFile(back)), `${way} ${path}`).toBe(sha256(bytes));
      }
    }
    const part = join(teamFiles.folder, 'part');
    await sdk('download_range', `${folder()}/${path}`, part, 1000, 1_999_999);
    expect(sha256(await readFile(part))).toBe(sha256(bytes.subarray(1000, 2_000_000)));
    const all = join(teamFiles.folder, 'all');
    await sdk('download_folder', folder(), all);
    for (const [path, bytes] of contents) expect(sha256(await readFile(join(all, path))), path).toBe(sha256(bytes));
    expect((await readdir(all)).sort()).toEqual(
      [...new Set([...contents.keys()].map((one) => one.split('/')[0]))].sort(),
    );
  });

  it('sends nothing of what our store has already, by its hash', async () => {
    const store = teamFiles.inSmallParts();
    const local = await filled('ours');
    for (const path of contents.keys()) await store.publish(join(local, path), `experiments/p/r/${path}`);
    teamFiles.proxy.seen.length = 0;
    await sdk('upload_async', local, folder(), true);
    expect(teamFiles.proxy.seen.filter(({ url }) => url.includes('upload'))).toEqual([]);
    await writeFile(join(local, 'receipt.json'), '{"newer":true}\n');
    await sdk('upload_async', local, folder(), true);
    expect(teamFiles.proxy.seen.filter(({ url }) => url.includes('upload'))).toHaveLength(1);
    expect(Buffer.from((await store.read('experiments/p/r/receipt.json')) ?? []).toString()).toBe('{"newer":true}\n');
  });

  it.each(['upload', 'upload_async'])('writes by %s what our store verifies, lists, reads and fetches', async (way) => {
    const store = teamFiles.inSmallParts();
    const local = await filled('theirs');
    expect(await sdk<string>(way, local, folder(), ...(way === 'upload' ? [] : [false]))).toBe(folder());
    const listed: { path: string; size: number }[] = [];
    for await (const one of store.list('experiments')) listed.push(one);
    expect(listed).toEqual(
      byPath([...contents].map(([path, bytes]) => ({ path: `experiments/p/r/${path}`, size: bytes.length }))),
    );
    for (const [path, bytes] of contents) {
      const file = { path: `experiments/p/r/${path}`, size: bytes.length, sha256: sha256(bytes) };
      expect(await store.verify(file.path)).toEqual(file);
      expect(store.proofOf(file.path)).toBe('checksum');
      await store.fetch(file.path, join(teamFiles.folder, file.sha256), file);
      expect(sha256(await readFile(join(teamFiles.folder, file.sha256)))).toBe(file.sha256);
      // What is there already is not sent again.
      teamFiles.proxy.seen.length = 0;
      await store.publish(join(local, path), file.path);
      expect(teamFiles.proxy.seen.filter(({ url }) => url.includes('upload'))).toEqual([]);
    }
    const [path = '', bytes = Buffer.alloc(0)] = [...contents][0] ?? [];
    const part = await store.readPart(`experiments/p/r/${path}`, 1000, 500);
    expect(part && Buffer.compare(part.bytes, bytes.subarray(1000, 1500))).toBe(0);
  });

  it('finds a run that was copied there as its receipt says, and what it changes is found by verify', async () => {
    const epochal = (...args: string[]) => inProcess('store', ...args);
    const [first, back] = [join(teamFiles.folder, 'first'), join(teamFiles.folder, 'back')];
    const store = openStore(first);
    await store.prepare(false);
    // More than is held in memory.
    const checkpoints = { 1: randomBytes(20_000_001), 2: randomBytes(1000) };
    const receipt = await landRun(store, 'p/run', { files: { 'metrics.jsonl': '{}\n' }, checkpoints });
    expect(await epochal('copy', first, teamFiles.address)).toMatchObject({ code: 0 });
    expect(await epochal('verify', teamFiles.address)).toMatchObject({
      code: 0,
      stdout: 'p/run: whole, 3 files, 19 MiB\n',
    });
    const run = `${folder().slice(0, -1)}run`;
    const listed = new Map((await sdk('list', run)).map(({ path, hash }) => [path, hash]));
    for (const file of [...receipt.checkpoints.flatMap((checkpoint) => checkpoint.files), ...receipt.files])
      expect(listed.get(`${run}/${file.path}`), file.path).toBe(Buffer.from(file.sha256, 'hex').toString('base64'));
    expect(await epochal('copy', teamFiles.address, back, 'p/run')).toMatchObject({ code: 0 });
    expect(await epochal('verify', back)).toMatchObject({ code: 0 });
    await mkdir(join(teamFiles.folder, 'other'));
    await writeFile(join(teamFiles.folder, 'other', 'metrics.jsonl'), '[]\n');
    await sdk('upload_async', join(teamFiles.folder, 'other'), run, false);
    expect(await epochal('verify', teamFiles.address)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^p\/run: metrics\.jsonl is 3 bytes with sha256/),
    });
  });

  it('removes files and folders, and our store has none of them then; and the reverse', async () => {
    const store = teamFiles.inSmallParts();
    for (const path of ['x/1', 'x/2', 'x/3', 'x/y/4', 'x/y/5', 'z/6']) await store.write(path, path);
    const root = teamFiles.address.slice('teamfiles:'.length);
    await sdk('remove', `${root}/x/1`);
    await sdk('remove_many', [`${root}/x/2`]);
    await sdk('remove', `${root}/x/y/`);
    expect(await teamFiles.paths('x')).toEqual(['x/3']);
    expect(await store.verify('x/1')).toBeNull();
    await store.remove('x');
    expect(await sdk('list', `${root}/x`)).toEqual([]);
    expect(await sdk('exists', `${root}/x/`)).toBe(false);
    expect((await sdk('list', `${root}/z`)).map(({ path }) => path)).toEqual([`${root}/z/6`]);
  });

  it('downloads a project as our workers do: each image and annotation is the same', async () => {
    const stage = new TeamFilesStandIn(server.token);
    addProject(stage.data, exampleProject());
    const endpoint = await stage.listen();
    try {
      const theirs = join(teamFiles.folder, 'theirs');
      await sdk('download_project', endpoint, 1951, theirs);
      const projects = new SuperviselyProjects(join(teamFiles.folder, 'cache'), async () => new Set());
      const options = { signal: new AbortController().signal, onProgress: () => undefined };
      const { path: ours } = await withVariables({ SERVER_ADDRESS: endpoint }, () =>
        projects.get('supervisely:1951', options),
      );
      const files = async (folder: string) =>
        (await readdir(folder, { recursive: true })).filter((path) => /\.(png|json)$/.test(path)).sort();
      expect(await files(ours)).toEqual(await files(theirs));
      expect(await files(ours)).toHaveLength(15);
      for (const path of await files(ours)) {
        const [one, other] = [await readFile(join(ours, path)), await readFile(join(theirs, path))];
        if (path.endsWith('.png')) expect(Buffer.compare(one, other), path).toBe(0);
        else if (path !== 'meta.json') expect(JSON.parse(`${one}`), path).toEqual(JSON.parse(`${other}`));
      }
      // What the SDK makes of them, to their last points.
      expect(await sdk<object>('project', ours)).toEqual(await sdk<object>('project', theirs));
    } finally {
      await stage.close();
    }
  });

  it('finds the experiment of a run, and all that its apps read of it; a copy that broke off is completed', async () => {
    const stage = new TeamFilesStandIn(server.token);
    addProject(stage.data, exampleProject());
    stage.data.outputs.set(77, {});
    const endpoint = await stage.listen();
    const proxy = await FaultProxy.to(endpoint);
    try {
      const [best, last] = [randomBytes(3_000_001), randomBytes(1000)];
      const at = proxy.endpoint;
      await withVariables({ SERVER_ADDRESS: at }, async () => {
        const store = openStore(teamFiles.address);
        await store.prepare(false);
        const yaml = 'trainer: yolov8\nepochs: 3\ndata: supervisely:1951\nparameters: {task: detect, lr: 0.5}\n';
        const report = { ...dataReport, classes: ['box', 'ring'].map((name) => ({ name, images: [1], objects: [1] })) };
        const files = { 'config.yaml': yaml, 'data-report.json': JSON.stringify(report) };
        const checkpoints = { 1: best, 2: randomBytes(10), 3: last };
        const receipt = { trainer: 'yolov8', best: { metric: 'map', value: 0.5, epoch: 1 } };
        await landRun(store, 'p/my-run', { files, checkpoints, receipt });
        const folder = 'experiments/p/my-run';
        const run = observedRun('my-run', { trainer: 'yolov8', output: async () => ({ store, folder }) });
        const refused: string[] = [];
        const tell = (id: string) =>
          new SuperviselyTask(77, true).tell(
            [
              {
                ...{ kind: 'ended', id, run: 'my-run', life: 'e', seq: 1, at: '2026-01-01T01:00:00.000Z' },
                position: { epoch: 3, batch: 0 },
                data: {
                  ...{ outcome: 'completed', cause: { kind: 'finished' }, place: 'my-run', metrics: {} },
                  outputFolder: `${store.address}/${folder}`,
                },
              },
            ],
            run,
            { ...{ signal: new AbortController().signal, onTold: () => {} }, onRefused: (_, why) => refused.push(why) },
          );
        // The second file of weights does not arrive: the server takes none of it, whenever it is tried.
        const isLast = ({ url }: Seen) => url.includes('upload') && url.includes('epoch-0003');
        proxy.break(isLast, refusal(409, 'no'), 1);
        await expect(tell('e/1')).rejects.toThrow('epoch-0003');
        expect(await sdk('experiments', endpoint, 'yolov8')).toEqual([]);
        proxy.heal();
        await tell('e/1');
        // The first one is there already.
        expect(proxy.seen.filter(({ url }) => url.includes('upload') && url.includes('epoch-0001'))).toEqual([]);
        const [found, ...more] = await sdk<FoundExperiment[]>('experiments', endpoint, 'yolov8');
        expect(more).toEqual([]);
        expect(found?.info).toMatchObject({
          ...{ experiment_name: 'my-run', framework_name: 'yolov8', task_type: 'object detection', project_id: 1951 },
          ...{ task_id: 77, model_files: {}, best_checkpoint: 'epoch-0001.bin', artifacts_dir: experiment },
          ...{ checkpoints: ['checkpoints/epoch-0001.bin', 'checkpoints/epoch-0003.bin'], train_size: 4, val_size: 2 },
        });
        expect(found?.read).toMatchObject({
          'checkpoints/epoch-0001.bin': sha256(best),
          'checkpoints/epoch-0003.bin': sha256(last),
        });
        // Of the six of the project those that it was trained on, in the shape that its model answers.
        expect(found?.classes).toEqual({ box: 'rectangle', ring: 'rectangle' });
        expect(found?.state).toMatchObject({
          classes: ['box', 'ring'],
          hyperparameters: expect.stringContaining('lr: 0.5'),
        });
        expect(stage.data.outputs.get(77)).toMatchObject({
          general: { title: `${store.address.slice('teamfiles:'.length)}/${folder}/` },
          experiment: { data: { artifacts_dir: experiment } },
        });
        // What is another's there stays as it is.
        await openFolder(`teamfiles:${experiment.slice(0, -1)}`).write(
          'experiment_info.json',
          '{"framework_name":"x"}',
        );
        await tell('e/1');
        expect(refused).toEqual([`teamfiles:${experiment.slice(0, -1)} has another experiment`]);
      });
    } finally {
      await proxy.close();
      await stage.close();
    }
  });
});

const experiment = '/experiments/1951_fruit/my-run_yolov8/';

interface FoundExperiment {
  info: Record<string, unknown>;
  read: Record<string, string>;
  classes: Record<string, string>;
  state: Record<string, unknown>;
}

const dataReport = {
  ...{
    reportVersion: 1,
    kind: 'supervisely',
    folder: '/data',
    images: 6,
    objects: 6,
    splitBy: null,
    splitSha256: null,
  },
  splits: [
    { name: 'train', role: 'train', images: 4, objects: 4, unmarked: 0 },
    { name: 'val', role: 'validate', images: 2, objects: 2, unmarked: 0 },
  ],
  ...{ classCount: 2, classes: [], sizes: null, findings: [], duplicates: null, decoded: null },
};
