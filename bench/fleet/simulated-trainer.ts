/**
 * A trainer without a process: it speaks the trainer protocol on its socket and leaves in its run folder what a trainer of the SDK leaves
 * there, and trains nothing. Epochs take as long as they are told to. A thousand of these fit into a few processes.
 */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type CheckpointManifest, checkpointManifestSchema, type Position } from '../../contracts/checkpoint.ts';
import { type Command, commandSchema, protocolVersion, sessionFileSchema } from '../../contracts/protocol.ts';
import type { Launch, LaunchedTrainer } from '../../worker/launchers/launcher.ts';
import type { TrainerEnd } from '../../worker/process-file.ts';

export interface Pace {
  epochSeconds: number;
  /** In each epoch; a stop is obeyed between two of them. */
  batches: number;
}

/** Of the file in each checkpoint. */
const weightsBytes = 4096;

export class SimulatedTrainer implements LaunchedTrainer {
  /** Nothing of it is a process that could be looked at. */
  readonly identity = null;
  readonly exited: Promise<TrainerEnd | null>;
  readonly #launch: Launch;
  readonly #pace: Pace;
  readonly #ended = new AbortController();
  /** Aborted, and replaced, whenever a command has come. */
  #heard = new AbortController();
  #server: Server | null = null;
  #worker: Socket | null = null;
  #numbered: { seq: number; line: string }[] = [];
  #seq = 0;
  #granted = 0;
  #stop: 'batch' | 'epoch' | 'shutdown' | null = null;
  #exit: (end: TrainerEnd | null) => void = () => undefined;

  constructor(launch: Launch, pace: Pace) {
    this.#launch = launch;
    this.#pace = pace;
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  /** Resolves once it listens. */
  async start(): Promise<void> {
    await mkdir(dirname(this.#launch.socket), { recursive: true });
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#launch.socket, resolve);
    });
    this.#train().then(
      () => this.#end({ code: 0, signal: null }),
      // What was cut off, or could not be written.
      (error) => (this.#ended.signal.aborted ? undefined : this.#end({ code: 1, signal: null }, error)),
    );
  }

  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGTERM' || signal === 'SIGKILL') this.#end({ code: null, signal });
  }

  alive = async () => false;
  endLeftovers = async () => undefined;
  dismiss = async () => undefined;
  leave = () => undefined;

  #end(end: Pick<TrainerEnd, 'code' | 'signal'>, error?: unknown): void {
    if (this.#ended.signal.aborted) return;
    if (error) process.stderr.write(`a simulated trainer has failed: ${error}\n`);
    this.#ended.abort();
    this.#server?.close();
    this.#worker?.end();
    this.#exit({ ...end, outOfMemory: false, unattended: false });
  }

  // The protocol.

  #serve(socket: Socket): void {
    this.#worker?.destroy();
    this.#worker = socket;
    socket.on('error', () => undefined);
    let rest = '';
    socket.on('data', (chunk) => {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#obey(commandSchema.parse(JSON.parse(line)));
    });
    for (const { line } of this.#numbered) socket.write(line);
  }

  #obey(command: Command): void {
    switch (command.type) {
      case 'received':
        this.#numbered = this.#numbered.filter(({ seq }) => seq > command.through);
        return this.#wake();
      case 'grant':
        this.#granted = Math.max(this.#granted, command.through);
        break;
      case 'stop':
        this.#stop = command.mode;
        void this.#keep({ type: 'acknowledged', command: 'stop' });
        break;
      case 'shutdown':
        this.#stop ??= 'shutdown';
        break;
    }
    this.#say({ type: 'acknowledged', command: command.type });
    this.#wake();
  }

  #wake(): void {
    this.#heard.abort();
    this.#heard = new AbortController();
  }

  #say(event: object): void {
    this.#worker?.write(`${JSON.stringify(event)}\n`);
  }

  #tell(event: object): void {
    const seq = ++this.#seq;
    const line = `${JSON.stringify({ ...event, seq })}\n`;
    this.#numbered.push({ seq, line });
    this.#worker?.write(line);
  }

  /** What is in the run folder before anybody hears of it. */
  async #keep(event: object): Promise<void> {
    const { folder, session } = this.#launch;
    await appendFile(folder.events, `${JSON.stringify({ session, at: new Date().toISOString(), event })}\n`);
  }

  async #keepAndTell(event: object): Promise<void> {
    await this.#keep(event);
    this.#tell(event);
  }

  // The training.

  async #train(): Promise<void> {
    const { folder } = this.#launch;
    const session = sessionFileSchema.parse(JSON.parse(await readFile(folder.session, 'utf8')));
    const from: Position | null = session.resumeFrom ? await positionOf(session.resumeFrom) : null;
    await this.#keepAndTell({
      ...{ type: 'hello', protocol: protocolVersion, trainer: 'counter', pid: process.pid },
      ...{ versions: { simulated: '1' }, devices: [] },
    });
    await this.#keepAndTell({ type: 'ready', resumedFrom: from });
    let epoch = from?.epoch ?? 0;
    let batch = from?.batch ?? 0;
    const last = session.endsAfter ?? session.epochs;
    while (epoch < last && this.#stop === null) {
      await this.#until(() => this.#granted > epoch || this.#stop !== null);
      if (this.#stop !== null) break;
      const began = performance.now();
      this.#tell({ type: 'phase', phase: 'train', epoch: epoch + 1 });
      batch = await this.#trainEpoch(epoch + 1, batch);
      if (batch < this.#pace.batches) break;
      [epoch, batch] = [epoch + 1, 0];
      const seconds = (performance.now() - began) / 1000;
      const row = { epoch, batches: this.#pace.batches, seconds, metrics: metricsOf(epoch), at: now() };
      await appendFile(folder.metrics, `${JSON.stringify(row)}\n`);
      await this.#save({ epoch, batch }, session);
      this.#tell({ type: 'epoch', ...row });
    }
    if (batch > 0) await this.#save({ epoch, batch }, session);
    const finished = epoch >= last;
    await this.#keepAndTell({ type: 'stopped', epoch, batch, batchesAfterStop: 0, finished });
    // Its last words are heard before its end is.
    await this.#until(() => this.#numbered.length === 0);
  }

  /** Answers how many batches were trained: fewer than all where it was stopped. */
  async #trainEpoch(epoch: number, done: number): Promise<number> {
    const { batches, epochSeconds } = this.#pace;
    for (let batch = done; batch < batches; batch += 1) {
      // Its batch ends at once, so that what a stop takes is what the service takes.
      const { signal } = this.#heard;
      if (this.#stop !== 'batch')
        await delay((epochSeconds / batches) * 1000, undefined, { signal }).catch(() => undefined);
      this.#ended.signal.throwIfAborted();
      if (this.#stop === 'batch') return batch;
      const metrics = { loss: 1 / (epoch * batches + batch) };
      this.#say({ type: 'batch', phase: 'train', epoch, batch: batch + 1, batches, metrics });
    }
    return batches;
  }

  async #save(at: Position, { session, generation }: { session: string; generation?: number | undefined }) {
    this.#tell({ type: 'phase', phase: 'save', epoch: Math.max(1, at.epoch) });
    const { checkpoints } = this.#launch.folder;
    const name = `epoch-${String(at.epoch).padStart(4, '0')}${at.batch ? `-batch-${String(at.batch).padStart(6, '0')}` : ''}`;
    const beside = join(checkpoints, `.${name}.tmp`);
    await rm(beside, { recursive: true, force: true });
    await mkdir(beside, { recursive: true });
    const weights = Buffer.alloc(weightsBytes, `${session} ${name} `);
    await writeFile(join(beside, 'weights.bin'), weights);
    const sha256 = createHash('sha256').update(weights).digest('hex');
    const manifest: CheckpointManifest = {
      ...{ name, ...at, metrics: at.batch ? {} : metricsOf(at.epoch), createdAt: now(), session },
      ...(generation === undefined ? {} : { generation }),
      files: [{ path: 'weights.bin', size: weights.length, sha256 }],
    };
    await writeFile(join(beside, 'checkpoint.json'), JSON.stringify(manifest));
    await rm(join(checkpoints, name), { recursive: true, force: true });
    await rename(beside, join(checkpoints, name));
    this.#tell({ type: 'checkpoint', checkpoint: manifest });
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      this.#ended.signal.throwIfAborted();
      const wait = AbortSignal.any([this.#ended.signal, this.#heard.signal]);
      await new Promise<void>((resolve) => {
        if (wait.aborted) resolve();
        else wait.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

const now = () => new Date().toISOString();
const metricsOf = (epoch: number) => ({ loss: 1 / epoch, score: epoch });

async function positionOf(checkpoint: string): Promise<Position> {
  const text = await readFile(join(checkpoint, 'checkpoint.json'), 'utf8');
  const { epoch, batch, name } = checkpointManifestSchema.parse(JSON.parse(text));
  if (name !== basename(checkpoint)) throw new Error(`${checkpoint} is another checkpoint: ${name}`);
  return { epoch, batch };
}
