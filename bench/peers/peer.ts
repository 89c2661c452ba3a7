/** Those that train the job of `job.py`, each in its own environment, and what a benchmark may do to a training. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { version } from '../../client/version.ts';
import { ensureEnvironment, readRequirementsFile } from '../../worker/python-environments.ts';
import { BenchHost, type BenchRun } from '../bench-host.ts';
import { readStamps, type Stamp } from '../stamps.ts';

export const epochs = 5;
/** 1,437 images in batches of 24. */
export const batchesPerEpoch = 60;
/** Times that a script starts a process again that ended badly; Ray Train has the same number. */
const attempts = 5;

const here = fileURLToPath(new URL('.', import.meta.url));

export interface Peer {
  readonly name: string;
  start(): Promise<Training>;
  close(): Promise<void>;
}

/** A training in a folder of its own. */
export abstract class Training {
  /** When it has ended, however. */
  abstract readonly ended: Promise<void>;
  #isOver = false;

  constructor(readonly folder: string) {}

  /** To be called once `ended` is there. */
  protected follow(): void {
    void this.ended.finally(() => {
      this.#isOver = true;
    });
  }

  stamps(): Promise<Stamp[]> {
    return readStamps(join(this.folder, 'stamps'));
  }

  /** The hash of the weights after the last epoch; null where it never got there. */
  weights(): Promise<string | null> {
    return readFile(join(this.folder, 'weights'), 'utf8').catch(() => null);
  }

  /** Waits until this batch was trained; answers the process that did. */
  async reached(count: number): Promise<number> {
    const batch = `${Math.ceil(count / batchesPerEpoch)}:${((count - 1) % batchesPerEpoch) + 1}`;
    for (;;) {
      const found = (await this.stamps()).findLast((stamp) => stamp.batch === batch);
      if (found) return found.pid;
      if (this.#isOver) throw new Error(`it ended before batch ${batch}`);
      await delay(10);
    }
  }

  /** When the first batch was trained by a process that is not `known`; throws where that never happens. */
  async next(known: ReadonlySet<number>): Promise<number> {
    for (;;) {
      const found = (await this.stamps()).find(({ pid }) => !known.has(pid));
      if (found) return found.at;
      if (this.#isOver) throw new Error('nobody trained again');
      await delay(20);
    }
  }

  /** Halves the largest file of the newest checkpoint: what a full disk or a crash leaves. */
  async damage(): Promise<void> {
    let newest: { path: string; at: number; size: number } | null = null;
    for (const folder of await this.checkpointFolders()) {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (!entry.isFile() || path.includes('.json')) continue;
        const { mtimeMs, size } = await stat(path);
        // Files of one checkpoint are written together.
        if (newest && (mtimeMs < newest.at - 100 || (mtimeMs < newest.at + 100 && size <= newest.size))) continue;
        newest = { path, at: mtimeMs, size };
      }
    }
    if (newest === null) throw new Error(`${this.folder} has no checkpoint`);
    await truncate(newest.path, Math.floor(newest.size / 2));
  }

  protected abstract checkpointFolders(): Promise<string[]>;

  /** Ends it as its documentation says that one ends it, and starts what goes on from there. */
  abstract endAndContinue(): Promise<Training>;
}

async function environment(file: string): Promise<string> {
  const { python } = await ensureEnvironment({
    requirements: await readRequirementsFile(file),
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  return python;
}

/** A script, which is started again at once where it ended badly. */
class Script extends Training {
  readonly ended: Promise<void>;
  #process: ChildProcess | null = null;
  #mayStart = true;

  constructor(
    folder: string,
    readonly python: string,
    readonly script: string,
    readonly isRestarted: boolean,
  ) {
    super(folder);
    this.ended = this.#run();
    this.follow();
  }

  async #run(): Promise<void> {
    for (let attempt = 0; attempt <= (this.isRestarted ? attempts : 0) && this.#mayStart; attempt++) {
      const child = spawn(this.python, [join(here, this.script), this.folder, String(epochs)], {
        env: { ...process.env, OMP_NUM_THREADS: '1' },
        stdio: 'ignore',
        detached: true, // a group, so that nothing of it is left behind
      });
      this.#process = child;
      const [code] = await once(child, 'exit');
      if (code === 0) return;
    }
  }

  protected async checkpointFolders(): Promise<string[]> {
    return [join(this.folder, 'checkpoints')];
  }

  async endAndContinue(): Promise<Training> {
    this.#mayStart = false;
    if (this.#process?.pid) process.kill(-this.#process.pid, 'SIGTERM');
    await this.ended;
    return new Script(this.folder, this.python, this.script, this.isRestarted);
  }
}

async function scripted(
  title: string,
  script: string,
  requirements: string,
  module: string,
  isRestarted: boolean,
): Promise<Peer> {
  const python = await environment(join(here, requirements));
  const { stdout } = await promisify(execFile)(python, [
    '-c',
    `from importlib.metadata import version; print(version(${JSON.stringify(module)}))`,
  ]);
  const root = await mkdtemp(join(tmpdir(), 'epochal-peers-'));
  return {
    name: `${title} ${stdout.trim()}`,
    start: async () => new Script(await mkdtemp(join(root, 'run-')), python, script, isRestarted),
    close: () => rm(root, { recursive: true, force: true }),
  };
}

class UnderEpochal extends Training {
  readonly ended: Promise<void>;

  constructor(
    folder: string,
    readonly host: BenchHost,
    readonly run: BenchRun,
  ) {
    super(folder);
    this.ended = run.result().then(
      () => undefined,
      () => undefined,
    );
    this.follow();
  }

  static async start(host: BenchHost, folder: string, continueFrom?: { run: string }): Promise<UnderEpochal> {
    await mkdir(folder, { recursive: true });
    const run = await host.train({
      trainer: 'peers_digits',
      epochs,
      parameters: { folder },
      failures: { restarts: attempts, backoffSeconds: 0 },
      ...(continueFrom ? { continueFrom } : {}),
    });
    return new UnderEpochal(folder, host, run);
  }

  protected async checkpointFolders(): Promise<string[]> {
    const place = join(this.host.folder, 'data', 'runs', this.run.workflowId);
    const names = (await readdir(place)).filter((name) => name === 'checkpoints' || name === 'snapshots');
    return names.map((name) => join(place, name));
  }

  async endAndContinue(): Promise<Training> {
    await this.run.executeUpdate('stop', { args: [{ mode: 'batch' }] });
    await this.ended;
    return UnderEpochal.start(this.host, this.folder, { run: this.run.workflowId });
  }
}

async function epochal(): Promise<Peer> {
  const root = await mkdtemp(join(tmpdir(), 'epochal-peers-'));
  const host = await BenchHost.start(1, {
    EPOCHAL_TRAINERS: [join(here, 'trainers'), join(here, '..', '..', 'test', 'trainers')].join(delimiter),
  });
  return {
    name: `Epochal ${version}`,
    start: async () => UnderEpochal.start(host, await mkdtemp(join(root, 'run-'))),
    close: async () => {
      await host.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The bare loop first: the others are compared with it. */
export const allPeers = async (): Promise<Peer[]> => [
  await scripted('a bare loop, PyTorch', 'bare.py', '../../trainers/pytorch/requirements.txt', 'torch', true),
  await scripted('Lightning', 'under_lightning.py', '../../trainers/lightning/requirements.txt', 'lightning', true),
  await scripted('Ray Train', 'under_ray.py', 'requirements-ray.txt', 'ray', false),
  await epochal(),
];
