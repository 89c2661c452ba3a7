/**
 * `epochal up`, which is `npm start` in a clone: Temporal, a worker, and on the first start the demo; serves until Ctrl-C.
 * `npm run demo`: the demo once. Whatever this process started ends with it: first the trainers, at a batch boundary, then the worker, then the
 * server.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client, Connection } from '@temporalio/client';
import { z } from 'zod';
import { colors as pc } from '../client/cli/colors.ts';
import { watchDisplay } from '../client/cli/watch-display.ts';
import { parseConfig, readYamlFile } from '../client/parse-config.ts';
import { ensureSearchAttributes } from '../client/search-attributes.ts';
import { temporalClient } from '../client/temporal-client.ts';
import { TrainingClient } from '../client/training-client.ts';
import { packageFolder } from '../contracts/package-folder.ts';
import type { Receipt } from '../contracts/receipt.ts';
import type { RunningServer } from '../server/main.ts';
import { startControl } from '../server/workflows/control.ts';
import { RunMetrics } from '../server/workflows/run-metrics.ts';
import { workflowBundle } from '../server/workflows/workflow-bundle.ts';
import { makeWritable } from '../worker/machine-folders.ts';
import { type RunningWorker, startWorker } from '../worker/main.ts';
import { makePrivate } from '../worker/private-folder.ts';
import { readSettings, type WorkerSettings } from '../worker/settings.ts';
import { TrainerCatalog } from '../worker/trainer-catalog.ts';
import { ensureBuiltWeb } from './build-web.ts';
import { connectTo, type FoundTemporal, findTemporal } from './find-temporal.ts';
import { controlSettings } from './services.ts';
import { aborted, listenForSignals, type Signals } from './signals.ts';
import { openTerminalLog, type TerminalLog } from './terminal-log.ts';
import { startWebServer } from './web-server.ts';

const demoFile = fileURLToPath(new URL('trainers/digits/example.yaml', packageFolder));
const usage = 'usage: epochal up [--demo]';
const interrupted = 130;
/** As the command is called here: npm finds it in a project, and what pip installed is on the PATH. */
const epochal = process.env.npm_execpath === undefined ? 'epochal' : 'npx epochal';

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((arg) => arg !== '--demo');
  if (unknown.length > 0) {
    say(`${unknown.join(' ')} is not understood; ${usage}`);
    return 2;
  }
  const onlyDemo = args.includes('--demo');
  // Who read what is said may go first (a terminal that is closed, a pipe): nothing ends of that but the saying.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const signals = listenForSignals(() =>
    say('\nshutting down: trainers checkpoint at their batch boundary; Ctrl-C again: at once'),
  );
  try {
    const settings = readSettings();
    for (const folder of [settings.dataFolder, settings.cacheFolder]) await makeWritable(folder);
    await makePrivate(settings.dataFolder);
    await makePrivate(join(settings.dataFolder, 'logs'));
    const terminal = openTerminalLog(settings.dataFolder);
    terminal.setQuiet(true);
    const { code, receipt } = await serve(settings, terminal, signals, onlyDemo);
    // The last line on stdout, once nothing else can be said.
    if (onlyDemo && receipt !== null) process.stdout.write(`${JSON.stringify(receipt)}\n`);
    return code;
  } catch (error) {
    if (signals.asked.aborted) return interrupted;
    say(pc.red(error instanceof Error ? error.message : String(error)));
    return 1;
  } finally {
    signals.close();
  }
}

interface Served {
  code: number;
  receipt: Receipt | null;
}

async function serve(
  settings: WorkerSettings,
  terminal: TerminalLog,
  signals: Signals,
  onlyDemo: boolean,
): Promise<Served> {
  const signal = signals.asked;
  const onProgress = progressLine();
  const preparing = new AbortController();
  const stopPreparing = AbortSignal.any([signal, preparing.signal]);
  let temporal: FoundTemporal | null = null;
  let connection: Connection | null = null;
  let worker: RunningWorker | null = null;
  let web: RunningServer | null = null;
  try {
    // What takes long and is needed late is made ready beside everything else.
    const python = prepareDemo(settings, stopPreparing, onProgress);
    python.catch(() => undefined);
    const bundle = workflowBundle(settings.cacheFolder, terminal.log, signal);
    bundle.catch(() => undefined);
    const webFolder = onlyDemo ? null : ensureBuiltWeb({ onProgress });
    webFolder?.catch(() => undefined);
    temporal = await findTemporal(settings.dataFolder, { onProgress, signal });
    say(describe(temporal));
    connection = await connectTo(temporal);
    const registered = await ensureSearchAttributes(connection, temporal.namespace);
    if (registered.length > 0) say(`registered search attributes: ${registered.join(', ')}`);
    await bundle;
    signal.throwIfAborted();
    const { address, namespace, origin } = temporal;
    const common = { log: terminal.log, ...(origin === 'configured' ? {} : { temporal: { address, namespace } }) };
    const metrics = new RunMetrics();
    const control = () => startControl({ ...controlSettings(settings), ...common, signal, metrics });
    worker = await startWorker({ settings, ...common, control });
    signal.throwIfAborted();
    say(`worker serves pool ${settings.pool} as host ${worker.host.id}; its log is ${terminal.file}`);
    if (webFolder !== null) {
      web = await startWebServer({ temporal, settings, log: terminal.log, webFolder, counted: [metrics.exposed] });
      say(`web UI: ${pc.bold(await web.signInAddress())}`);
    }

    const broken = failure(worker, temporal);
    const client = temporalClient(connection, namespace);
    const run = await Promise.race([broken, demoRun(client, settings, python, onlyDemo, signal)]);
    const receipt = run === null ? null : await Promise.race([broken, show(client, temporal, run, terminal, signal)]);
    if (onlyDemo) return { receipt, code: signal.aborted ? interrupted : receipt?.outcome === 'completed' ? 0 : 1 };

    if (!signal.aborted) say(invitation(temporal, await web?.signInAddress()));
    terminal.setQuiet(false);
    await Promise.race([broken, aborted(signal)]);
    return { receipt, code: 0 };
  } finally {
    preparing.abort(new Error('no longer needed'));
    terminal.setQuiet(true);
    await end(worker, signals);
    await web?.stop();
    await connection?.close();
    await temporal?.server?.stop();
  }
}

/** Ends the worker: orderly, or at once from the second signal on. Its own failure was told before. */
async function end(worker: RunningWorker | null, signals: Signals): Promise<void> {
  if (worker === null) return;
  const { drain, stopNow } = worker;
  await Promise.race([drain(), aborted(signals.urged).then(stopNow)]).catch(() => undefined);
}

/** Rejects when what was started ends without having been asked to. */
async function failure(worker: RunningWorker, temporal: FoundTemporal): Promise<never> {
  const serverEnd = temporal.server
    ? temporal.server.ended.then(() => `the Temporal server exited unexpectedly: see ${temporal.server?.logFile}`)
    : new Promise<never>(() => undefined);
  const workerEnd = worker.stopped.then(
    () => 'the worker stopped unexpectedly',
    (error: unknown) => `the worker failed: ${error instanceof Error ? error.message : String(error)}`,
  );
  throw new Error(await Promise.race([serverEnd, workerEnd]));
}

async function prepareDemo(
  settings: WorkerSettings,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<void> {
  const catalog = new TrainerCatalog(settings.trainersFolders);
  const { trainer } = parseConfig(await readYamlFile(demoFile));
  const program = await catalog.find(trainer);
  if (program === null)
    throw new Error(`the trainer ${trainer} of ${demoFile} is not in any of ${settings.trainersFolders.join(', ')}`);
  // In a container it has the Python of its image.
  if (settings.containers?.isForAll) return;
  await catalog.environment(program, { signal, onProgress });
}

const stampSchema = z.object({ run: z.string().min(1) });

/** The demo's run: a new one on the first start or for `npm run demo`, the one of last time while it goes on, or none. */
async function demoRun(
  client: Client,
  settings: WorkerSettings,
  python: Promise<void>,
  onlyDemo: boolean,
  signal: AbortSignal,
): Promise<string | null> {
  const stamp = join(settings.dataFolder, 'demo.json');
  if (!onlyDemo) {
    const earlier = stampSchema.safeParse(await readJson(stamp));
    if (earlier.success) return (await isOpen(client, earlier.data.run)) ? earlier.data.run : null;
    const { count } = await client.workflow.count(`WorkflowType = 'trainingRun'`);
    if (count > 0) return null;
  }
  await Promise.race([python, aborted(signal)]);
  signal.throwIfAborted();
  const config = parseConfig(await readYamlFile(demoFile));
  const trainings = new TrainingClient(client, { workerSeconds: 60, workflowQueue: settings.workflowQueue });
  const { run } = await trainings.start({ ...config, pool: settings.pool });
  await writeFile(stamp, `${JSON.stringify({ run })}\n`);
  return run;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return null;
  }
}

async function isOpen(client: Client, run: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(run).describe()).status.name === 'RUNNING';
  } catch {
    return false;
  }
}

/** Shows a run until its end, or until the signal; then null. */
async function show(
  client: Client,
  temporal: FoundTemporal,
  run: string,
  terminal: TerminalLog,
  signal: AbortSignal,
): Promise<Receipt | null> {
  say(`run ${pc.bold(run)}${temporal.ui === null ? '' : `: ${runAddress(temporal.ui, temporal.namespace, run)}`}`);
  terminal.setQuiet(true);
  const display = watchDisplay(run, { json: false, out: process.stderr });
  try {
    for await (const item of new TrainingClient(client).watch(run, { signal, intervalMs: 200 })) {
      display.show(item);
      if (item.kind === 'end') return item.receipt;
    }
    return null;
  } finally {
    display.close();
  }
}

const runAddress = (ui: string, namespace: string, run: string) =>
  `${ui}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(run)}`;

function describe({ origin, address, namespace, ui }: FoundTemporal): string {
  const how = { configured: 'as configured', running: 'started by another Epochal', started: 'started here' }[origin];
  const shownUi = ui === null ? '' : `, its UI is ${pc.bold(ui)}`;
  return `Temporal server ${address}, namespace ${namespace} (${how})${shownUi}`;
}

function invitation({ ui }: FoundTemporal, webAddress: string | undefined): string {
  return [
    '',
    `${pc.bold('Epochal is running.')} In another terminal:  ${epochal} train ${shownDemoFile()} --wait`,
    ...(webAddress === undefined ? [] : [`Web UI: ${webAddress}${signInNote(webAddress)}`]),
    ...(ui === null ? [] : [`Temporal UI: ${ui}`]),
    'Ctrl-C ends everything that was started here.',
    '',
  ].join('\n');
}

/** From here, as in a clone; the whole path where the package was installed elsewhere. */
function shownDemoFile(): string {
  const fromHere = relative(process.cwd(), demoFile);
  return fromHere.startsWith('..') || isAbsolute(fromHere) ? demoFile : fromHere;
}

const signInNote = (address: string): string =>
  address.includes('#code=') ? `  (signs one browser in; another: ${epochal} sign-in)` : '';

/** Says what is being done, and no line twice in a row. */
function progressLine(): (line: string) => void {
  let last = '';
  return (line) => {
    if (line === last) return;
    last = line;
    say(pc.dim(line));
  };
}
