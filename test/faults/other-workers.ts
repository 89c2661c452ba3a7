/** Workers that should not be where they are: a second one on a data folder, one with another store, one of another namespace. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Long from 'long';
import { placeOf, runAt } from '../../contracts/life.ts';
import { openStore } from '../../stores/open-store.ts';
import { until } from '../support/until.ts';
import { checkLanded } from './check-landed.ts';
import { FaultHosts, FaultWorker, type LaunchOptions } from './fault-host.ts';
import type { FaultRun } from './fault-run.ts';
import { can } from './machine-abilities.ts';

/** Starts a second worker on the data folder of one that runs. Answers what was not as it should be. */
export async function secondWorker(hosts: FaultHosts, worker: FaultWorker): Promise<string[]> {
  const wrong: string[] = [];
  const second = new FaultWorker(hosts, worker.dataFolder, {});
  await second.launch();
  await until('the second worker ends', () => !second.isAlive).catch(() => second.kill());
  const code = await second.exited;
  if (code !== 1) wrong.push(`a second worker on the data folder of ${worker.host} ended with ${code}`);
  const log = await readFile(second.log, 'utf8');
  if (!log.includes(`host ${worker.host}, process ${worker.pid} on`))
    wrong.push(`what refused a second worker does not name host ${worker.host}, process ${worker.pid}: ${second.log}`);
  if (!worker.isAlive) wrong.push(`${worker.host} ended when a second worker was started on its data folder`);
  return wrong;
}

const otherStores = ['default', 'default, and no other allowed', 'disk under the address'] as const;
type HowOther = (typeof otherStores)[number];

/** Another store for a worker: another default, alone allowed or not, or, where the machine can, another disk under the same address. */
export class OtherStore {
  private constructor(
    readonly how: HowOther,
    readonly launch: LaunchOptions,
    private readonly folder: string,
  ) {}

  /** `pick`: which way, from 0 to 1. Of runs on S3 there is no disk that another one could be mounted over. */
  static async of(hosts: FaultHosts, pick: number, isFolder: boolean): Promise<OtherStore> {
    const ways = isFolder && can('mount') ? otherStores : otherStores.slice(0, 2);
    const how = ways[Math.floor(pick * ways.length)] ?? 'default';
    const folder = join(hosts.folder, 'other-store');
    await mkdir(folder, { recursive: true });
    await openStore(folder).prepare(false);
    const mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
    const launch = {
      default: { env: { EPOCHAL_STORE: folder } },
      // As it is where nobody sets it.
      'default, and no other allowed': {
        env: { EPOCHAL_STORE: folder, EPOCHAL_ALLOWED_PATHS: '', EPOCHAL_ALLOWED_STORES: '' },
      },
      'disk under the address': { prefix: ['unshare', '--mount', 'sh', '-c', mount, 'sh', folder, hosts.store] },
    }[how];
    return new OtherStore(how, launch, folder);
  }

  /** Whether the worker has to refuse the runs of the hosts' own store. */
  get isRefused(): boolean {
    return this.how !== 'default';
  }

  /** Nothing of a run that is pinned to another store is ever written there. */
  async violations(): Promise<string[]> {
    const found = await readdir(join(this.folder, 'experiments', 'default')).catch(() => []);
    return found.map((place) => `${place} is in ${this.folder}, which is not the store of that run`);
  }
}

/** Another namespace of the same server, with a host of its own and the same store. */
export class OtherNamespace {
  #runs: FaultRun[] = [];

  private constructor(
    private readonly namespace: string,
    private readonly hosts: FaultHosts,
    private readonly env: Record<string, string>,
  ) {}

  /** `env`: of its worker. */
  static async of(hosts: FaultHosts, env: Record<string, string>): Promise<OtherNamespace> {
    const namespace = 'another';
    await hosts.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: Long.fromNumber(24 * 3600) },
    });
    const { address, store, onDisk } = hosts;
    return new OtherNamespace(namespace, await FaultHosts.open(address, { namespace, store, onDisk }), env);
  }

  /** Starts a run with the id and the configuration of this one, unless there is one already. */
  async start({ id, config: { pool: _, ...config } }: FaultRun): Promise<void> {
    if (this.#runs.some((run) => run.id === id)) return;
    const [worker] = this.hosts.workers;
    if (!worker) await this.hosts.worker({ slots: 2, env: { ...this.env, TEMPORAL_NAMESPACE: this.namespace } });
    else if (!worker.isAlive) await worker.start();
    this.#runs.push(await this.hosts.start(config, { run: id, place: (first) => placeOf(id, [first]) }));
  }

  /** Waits for the end of its runs. Nothing happened to them, so each completes, in a place of its own. */
  async violations(): Promise<string[]> {
    const wrong: string[] = [];
    for (const run of this.#runs) {
      const { how, receipt, violations } = await checkLanded(run);
      wrong.push(...violations);
      if (receipt.outcome !== 'completed')
        wrong.push(`${run.place} in namespace ${this.namespace}: ${how}, ${JSON.stringify(receipt.cause)}`);
      if (runAt(run.place) !== run.id || run.place === run.id) wrong.push(`${run.place} is no place of its own`);
    }
    return wrong;
  }

  /** Its worker would cost every schedule after this one. */
  async leave(): Promise<void> {
    for (const worker of this.hosts.workers) await worker.kill();
    this.#runs = [];
  }

  async close(): Promise<void> {
    await this.hosts.close();
  }
}
