/** `epochal doctor`: what is here, what is missing, and how to get it. Leaves nothing behind. */

import { existsSync } from 'node:fs';
import { access, constants, readdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Connection } from '@temporalio/client';
import { colors as pc } from '../client/cli/colors.ts';
import { createCommand, missingSearchAttributes } from '../client/search-attributes.ts';
import { unservedSentence, type WorkflowQueue, workflowQueueNow } from '../client/workflow-pollers.ts';
import { poolControlQueue } from '../contracts/queues.ts';
import { sizeText } from '../contracts/size-text.ts';
import { readGpus } from '../worker/gpus.ts';
import { ContainerLauncher } from '../worker/launchers/container.ts';
import { isEnvironmentReady, readRequirements } from '../worker/python-environments.ts';
import { findPython, findUv, type PythonInterpreter } from '../worker/python-tools.ts';
import { readSettings, type WorkerSettings } from '../worker/settings.ts';
import { Stores } from '../worker/stores.ts';
import { TrainerCatalog } from '../worker/trainer-catalog.ts';
import { examineContainers, type TrainerImage } from './doctor-containers.ts';
import { configuredTemporal, connectTo, type FoundTemporal, runningTemporal } from './find-temporal.ts';
import type { Finding } from './finding.ts';
import { findTemporalBinary } from './temporal-binary.ts';

const gibibyte = 1024 ** 3;
const littleSpace = 5 * gibibyte;

/** Prints the findings and answers the exit code: 0 when nothing needed is missing, else 1. */
export async function runDoctor(json: boolean): Promise<number> {
  const findings = await examine();
  const ok = findings.every(({ status }) => status !== 'missing');
  process.stdout.write(json ? `${JSON.stringify({ ok, findings }, null, 2)}\n` : `${asText(findings)}\n`);
  return ok ? 0 : 1;
}

export async function examine(): Promise<Finding[]> {
  let settings: WorkerSettings;
  try {
    settings = readSettings();
  } catch (error) {
    const remedy = 'correct the environment variable: docs/operations.md lists them';
    return [node(), ...system(), { what: 'settings', status: 'missing', detail: sentence(error), remedy }];
  }
  const [python, temporal, data, store, gpus, trainers] = await Promise.all([
    examinePython(),
    examineTemporal(settings),
    examineDataFolder(settings.dataFolder),
    examineStore(settings),
    examineGpus(),
    examineTrainers(settings),
  ]);
  return [node(), ...system(), ...python, ...temporal, ...data, store, gpus, ...trainers];
}

const node = (): Finding => ({ what: 'Node', status: 'ok', detail: process.versions.node });

/** What a worker cannot do where the system is not Linux. */
export function system(
  platform: NodeJS.Platform = process.platform,
  hasProc = existsSync('/proc/self/environ'),
): Finding[] {
  const what = 'system';
  const remedy = 'docs/operations.md#platforms lists the consequences; train on Linux where they matter';
  if (platform === 'win32') {
    const detail = 'Windows is not supported: there are no process groups, signals and flock as Epochal needs them';
    return [{ what, status: 'missing', detail, remedy: 'use Linux, or the Windows Subsystem for Linux' }];
  }
  if (platform === 'linux' && hasProc) return [{ what, status: 'ok', detail: 'Linux, with /proc' }];
  const lacks =
    'without /proc: processes that a trainer left outside its group are not found, its memory and out-of-memory kills by ' +
    'the kernel are not reported, and the trainer of a killed worker is identified by its pid alone';
  return [{ what, status: 'note', detail: `${platform === 'linux' ? 'Linux' : platform}, ${lacks}`, remedy }];
}

async function examinePython(): Promise<Finding[]> {
  let python: PythonInterpreter;
  try {
    python = await findPython();
  } catch (error) {
    const remedy = 'apt-get install python3 python3-venv (Debian, Ubuntu); brew install python (macOS)';
    return [{ what: 'Python', status: 'missing', detail: sentence(error), remedy }];
  }
  const uv = await findUv(python);
  return [
    { what: 'Python', status: 'ok', detail: `${python.version} (${python.path})` },
    uv === null
      ? {
          what: 'uv',
          status: 'note',
          detail: 'not found: trainers get their packages through venv and pip, which is slower',
          remedy: 'pip install uv',
        }
      : { what: 'uv', status: 'ok', detail: uv.join(' ') },
  ];
}

async function examineTemporal(settings: WorkerSettings): Promise<Finding[]> {
  const what = 'Temporal server';
  let temporal: FoundTemporal | null;
  let connection: Connection;
  try {
    temporal = configuredTemporal() ?? (await runningTemporal(settings.dataFolder));
    if (temporal === null) {
      const binary = await findTemporalBinary();
      const from = binary === null ? 'it will be downloaded' : `with ${binary.path}, ${binary.version}`;
      return [
        { what, status: 'note', detail: `none is running; epochal up starts one (${from})`, remedy: 'epochal up' },
      ];
    }
    connection = await connectTo(temporal);
  } catch (error) {
    const remedy = 'start that server, or unset TEMPORAL_ADDRESS to have Epochal start one of its own';
    return [{ what, status: 'missing', detail: sentence(error), remedy }];
  }
  const { address, namespace, origin } = temporal;
  try {
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    const findings: Finding[] = [
      { what, status: 'ok', detail: `${address}, version ${serverVersion}, namespace ${namespace} (${origin})` },
    ];
    findings.push(
      await examineSearchAttributes(connection, namespace),
      servers(await workflowQueueNow(connection, namespace, settings.workflowQueue)),
      await examineWorkers(connection, namespace, settings.pool),
    );
    return findings;
  } catch (error) {
    const remedy = `check that the namespace ${namespace} exists and may be read: temporal operator namespace describe ${namespace}`;
    return [{ what, status: 'missing', detail: `${address}: ${sentence(error)}`, remedy }];
  } finally {
    await connection.close();
  }
}

async function examineSearchAttributes(connection: Connection, namespace: string): Promise<Finding> {
  const what = 'search attributes';
  try {
    const missing = await missingSearchAttributes(connection, namespace);
    if (missing.length === 0) return { what, status: 'ok', detail: 'registered' };
    const remedy = createCommand(missing, namespace);
    return { what, status: 'missing', detail: `the server lacks ${missing.join(', ')}`, remedy };
  } catch (error) {
    return { what, status: 'note', detail: `cannot be read: ${sentence(error)}` };
  }
}

/** A note, as with workers: this machine has all that it needs. */
export function servers(now: WorkflowQueue): Finding {
  const what = 'servers of workflows';
  const unserved = unservedSentence(now);
  if (unserved !== null)
    return { what, status: 'note', detail: unserved, remedy: 'epochal up, or epochal server on one machine' };
  const serving = now.pollers.filter(({ build }) => build === now.current);
  const version = now.current === null ? 'without a version' : `version ${now.current}`;
  const detail = `${[...new Set(serving.map(({ identity }) => identity))].join(', ')} (${version})`;
  return { what, status: 'ok', detail };
}

async function examineWorkers(connection: Connection, namespace: string, pool: string): Promise<Finding> {
  const what = `workers of pool ${pool}`;
  const activityQueue = 2;
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: poolControlQueue(pool) },
    taskQueueType: activityQueue,
  });
  const identities = [...new Set((pollers ?? []).map(({ identity }) => identity ?? ''))];
  if (identities.length > 0) return { what, status: 'ok', detail: identities.join(', ') };
  return { what, status: 'note', detail: 'none polls', remedy: 'epochal up, or epochal worker on a GPU host' };
}

async function examineDataFolder(folder: string): Promise<Finding[]> {
  const what = 'data folder';
  const existing = await nearestExisting(folder);
  try {
    if (!(await stat(existing)).isDirectory()) throw new Error(`${existing} is a file`);
    await access(existing, constants.W_OK | constants.X_OK);
  } catch {
    const remedy = 'set EPOCHAL_DATA_DIR to a writable folder';
    return [{ what, status: 'missing', detail: `${folder}: ${existing} is not a writable folder`, remedy }];
  }
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  const detail = `${folder}, ${sizeText(free)} free`;
  if (free >= littleSpace) return [{ what, status: 'ok', detail }];
  const remedy = 'free some space: epochal folders ls shows what failed runs left';
  return [{ what, status: 'note', detail, remedy }];
}

/** The folder itself, or the closest one above it that is there. */
async function nearestExisting(folder: string): Promise<string> {
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  return isThere || dirname(folder) === folder ? folder : nearestExisting(dirname(folder));
}

async function examineStore({ store: address, dataFolder }: WorkerSettings): Promise<Finding> {
  // The store of a data folder that was not used yet is made with it.
  if (address.startsWith(dataFolder) && (await nearestExisting(dataFolder)) !== dataFolder) {
    return { what: 'artifact store', status: 'ok', detail: `${address}, created on first use` };
  }
  try {
    const stores = new Stores(address, dataFolder);
    await stores.check(await stores.of({}));
    return { what: 'artifact store', status: 'ok', detail: address };
  } catch (error) {
    const remedy = 'set EPOCHAL_STORE to a writable store';
    return { what: 'artifact store', status: 'missing', detail: `${address}: ${sentence(error)}`, remedy };
  }
}

async function examineGpus(): Promise<Finding> {
  const gpus = await readGpus();
  if (gpus.length === 0) {
    return { what: 'GPUs', status: 'note', detail: 'nvidia-smi shows none: trainers run on the CPU, in one slot' };
  }
  const detail = gpus.map(({ name, memoryBytes }) => `${name} (${sizeText(memoryBytes)})`).join(', ');
  return { what: 'GPUs', status: 'ok', detail };
}

/** The folders that are configured, and cannot be what they are to be: everything goes on without them. */
export async function examineFolders(variable: string, folders: readonly string[]): Promise<Finding[]> {
  const findings = await Promise.all(
    folders.map(async (folder): Promise<Finding[]> => {
      const why = await readdir(folder).then(
        () => null,
        (error: NodeJS.ErrnoException) => unreadable[error.code ?? ''] ?? sentence(error),
      );
      if (why === null) return [];
      const remedy = `create it, or correct ${variable}`;
      return [{ what: variable, status: 'missing', detail: `${folder}: ${why}`, remedy }];
    }),
  );
  return findings.flat();
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'it is a file, not a folder',
  EACCES: 'this user may not read it',
};

async function examineTrainers(settings: WorkerSettings): Promise<Finding[]> {
  const folders = [
    ...(await examineFolders('EPOCHAL_TRAINERS', settings.trainersFolders)),
    // Its default is made when there are data sets.
    ...(process.env.EPOCHAL_DATA_SETS ? await examineFolders('EPOCHAL_DATA_SETS', settings.dataSetsFolders) : []),
  ];
  const { cacheFolder } = settings;
  const containers = settings.containers && new ContainerLauncher(settings.containers, { host: 'doctor', cacheFolder });
  const catalog = new TrainerCatalog(settings.trainersFolders, undefined, containers);
  const contained: TrainerImage[] = [];
  const findings = await Promise.all(
    (await catalog.list()).map(async (program): Promise<Finding[]> => {
      const { name, file } = program;
      const what = `trainer ${name}`;
      try {
        const image = await catalog.imageOf(program);
        if (image !== null) {
          contained.push({ program, image });
          return [];
        }
        const isReady = await isEnvironmentReady(await readRequirements(file));
        const detail = isReady ? 'its Python environment is ready' : 'its Python environment is created on first use';
        return [{ what, status: isReady ? 'ok' : 'note', detail: `${detail} (${dirname(file)})` }];
      } catch (error) {
        return [{ what, status: 'note', detail: sentence(error), remedy: `correct ${file}, or what it asks for` }];
      }
    }),
  );
  const ofContainers =
    containers && contained.length > 0 ? await examineContainers(settings, containers, contained) : [];
  return [...folders, ...findings.flat(), ...ofContainers];
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function asText(findings: readonly Finding[]): string {
  const marks = { ok: pc.green('ok     '), note: pc.yellow('note   '), missing: pc.red('missing') };
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings
    .map(({ what, status, detail, remedy }) => {
      const line = `${marks[status]}  ${what.padEnd(width)}  ${detail}`;
      return remedy === undefined ? line : `${line}\n${' '.repeat(9 + width + 2)}→ ${remedy}`;
    })
    .join('\n');
}
