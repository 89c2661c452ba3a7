/**
 * Which version takes over, and when it leaves that to others: what one server does while others act at the same moment, at a Worker
 * Deployment that is kept here. `deployment.test.ts` has several of them at a Temporal server.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { controlIdentity, keepControl, startControl } from '../../server/workflows/control.ts';
import {
  Deployment,
  type DeploymentOptions,
  deploymentName,
  hasDeployments,
  refuseUnheard,
} from '../../server/workflows/deployment.ts';
import { openHistories, within } from '../../server/workflows/replay.ts';
import { until } from '../support/until.ts';

const refused = (code: number, message = '') => Object.assign(new Error(message), { code });

/** As the server keeps one, as far as it is asked here. */
class KeptDeployment {
  current = 'before';
  token = 0;
  readonly builds = new Set(['before', 'mine']);
  onSet: () => Promise<void> = async () => undefined;
  onDescribeQueue: () => void = () => undefined;

  set(buildId: string): void {
    this.current = buildId;
    this.token += 1;
  }

  readonly workflowService = {
    describeWorkerDeployment: async () => ({
      conflictToken: Buffer.from(String(this.token)),
      workerDeploymentInfo: { routingConfig: { currentDeploymentVersion: { buildId: this.current } } },
    }),
    describeTaskQueue: async () => {
      this.onDescribeQueue();
      const lastAccessTime = { seconds: 1000 };
      const poller = (buildId: string) => ({
        ...{ identity: buildId, lastAccessTime, deploymentOptions: { workerVersioningMode: 2, buildId } },
      });
      return {
        versioningInfo: { currentDeploymentVersion: { buildId: this.current } },
        pollers: [...this.builds].map(poller),
      };
    },
    setWorkerDeploymentCurrentVersion: async (asked: { buildId: string; conflictToken?: Uint8Array }) => {
      await this.onSet();
      if (asked.conflictToken && String(asked.conflictToken) !== String(this.token)) throw refused(9);
      this.set(asked.buildId);
    },
  };

  get connection(): NativeConnection {
    const { workflowService } = this;
    const withDeadline = <T>(_: unknown, call: () => Promise<T>) => call();
    return { workflowService, withDeadline } as unknown as NativeConnection;
  }
}

function mine(kept: KeptDeployment, options: Partial<DeploymentOptions> = {}) {
  const said: { level: number; msg: string }[] = [];
  const served: (string | null)[] = [];
  const deployment = new Deployment({
    ...{ connection: kept.connection, namespace: 'space', queue: 'queue', build: 'mine', identity: 'mine' },
    ...{ lookEveryMs: 1, signal: new AbortController().signal },
    log: pino({ level: 'debug' }, { write: (line: string) => said.push(JSON.parse(line)) }),
    replay: async () => [],
    onCurrent: async (before) => void served.push(before),
    ...options,
  });
  onTestFinished(() => deployment.end());
  return { deployment, said, served };
}

it('who leaves has another version take over, but does not undo that one has', async () => {
  const kept = new KeptDeployment();
  const first = mine(kept);
  await first.deployment.start();
  expect(kept.current).toBe('mine');
  await first.deployment.leave();
  expect(kept.current).toBe('');

  const second = mine(kept);
  await second.deployment.start();
  expect(kept.current).toBe('mine');
  second.deployment.end();
  kept.onDescribeQueue = () => kept.set('before');
  await second.deployment.leave();
  expect(kept.current).toBe('before');
  expect(second.said.filter(({ level }) => level > 20)).toEqual([]);
});

it('who leaves while it takes over leaves it to the others all the same', async () => {
  const kept = new KeptDeployment();
  let go: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    kept.onSet = () =>
      new Promise((goOn) => {
        go = goOn;
        resolve();
      });
  });
  const { deployment } = mine(kept);
  const started = deployment.start();
  await asked;
  kept.onSet = async () => undefined;
  const left = deployment.leave();
  setImmediate(go);
  await Promise.all([left, started]);
  expect(kept.current).toBe('');
});

it('whoever is told to stop while open runs are replayed does not take over', async () => {
  const kept = new KeptDeployment();
  const stop = new AbortController();
  let heard: AbortSignal | null = null;
  const replay = async (signal: AbortSignal) => {
    heard = signal;
    stop.abort();
    return [];
  };
  const { deployment, served, said } = mine(kept, { signal: stop.signal, replay });
  await deployment.start();
  expect(heard).toMatchObject({ aborted: true });
  expect(kept.current).toBe('before');
  expect([...served, ...said]).toEqual([]);
});

it('it is said once that another version has taken over, and what serves is told when this one is Current', async () => {
  const kept = new KeptDeployment();
  const { deployment, said, served } = mine(kept);
  await deployment.start();
  expect(served).toEqual(['before']);
  kept.set('after');
  kept.builds.add('after');
  let looks = 0;
  kept.onDescribeQueue = () => void looks++;
  await until('it has looked often', async () => looks > 5);
  expect(said.map(({ msg }) => msg)).toEqual(['version after serves the workflows now; this one (mine) stands by']);
  expect(served).toHaveLength(1);
  // Somebody gives it back by hand.
  kept.set('mine');
  await until('it serves again', async () => served.length === 2);
});

it('a version that does not take over serves nothing, until somebody has it take over', async () => {
  const kept = new KeptDeployment();
  const { deployment, said, served } = mine(kept, { replay: async () => ['run-1 (differs)'] });
  await deployment.start();
  expect(served).toEqual([]);
  expect(said[0]?.msg).toContain('run-1 (differs)');
  expect(said[0]?.msg).toContain('--namespace space --deployment-name queue --build-id mine');
  kept.set('mine');
  await until('it serves', async () => served.length === 1);
});

it('only a server that knows or allows no deployments has its workflows served without a version', async () => {
  const answers = (error: unknown) =>
    hasDeployments(
      {
        workflowService: { describeWorkerDeployment: () => Promise.reject(error) },
        withDeadline: (_: unknown, call: () => Promise<unknown>) => call(),
      } as unknown as NativeConnection,
      ...(['default', 'queue'] as const),
    );
  expect(await answers(refused(5))).toBe(true);
  expect(await answers(refused(12))).toBe(false);
  expect(await answers(refused(7, 'Worker Deployment Versions are disabled on this namespace.'))).toBe(false);
  await expect(answers(refused(7, 'Request unauthorized.'))).rejects.toThrow('unauthorized');
  await expect(answers(refused(3, 'no'))).rejects.toThrow('no');
  await expect(answers(refused(14, 'away'))).rejects.toThrow('away');
  const kept = new KeptDeployment();
  await expect(refuseUnheard(kept.connection, 'space', 'queue')).rejects.toThrow(
    /version before .*--namespace space --deployment-name queue --unversioned/s,
  );
  kept.set('');
  await refuseUnheard(kept.connection, 'space', 'queue');
});

it('names of deployments differ as those of their queues do', () => {
  expect(deploymentName('epochal')).toBe('epochal');
  const names = ['a.b', 'a:b', 'a-b'].map(deploymentName);
  expect(new Set(names).size).toBe(3);
  for (const name of names) expect(name).toMatch(/^a-b(-[0-9a-f]{8})?$/);
});

it('the newest few of each state are replayed, and only those that are gone are passed over', async () => {
  const queries: string[] = [];
  let failure: unknown = refused(5);
  const client = {
    workflow: {
      list: async function* ({ query }: { query: string }) {
        queries.push(query);
        const state = /EpochalState (.*)$/.exec(query)?.[1];
        for (let n = 0; ; n++) yield { workflowId: `${state} ${n}`, runId: n === 0 ? 'of all' : `${state} ${n}` };
      },
      getHandle: (workflowId: string) => ({
        fetchHistory: async () => {
          if (workflowId.includes('training')) throw failure;
          return workflowId;
        },
      }),
    },
  } as unknown as Client;
  const replayed = async (signal = new AbortController().signal) => {
    const found: string[] = [];
    for await (const { workflowId } of openHistories(client, 'queue', signal)) found.push(workflowId);
    return found;
  };
  const found = await replayed();
  expect(queries).toHaveLength(7);
  for (const query of queries) expect(query).toContain("TaskQueue = 'queue' AND ExecutionStatus = 'Running'");
  expect(found.filter((id) => id.startsWith('IS NULL'))).toEqual([1, 2, 3, 4].map((n) => `IS NULL ${n}`));
  expect(found.filter((id) => id.includes('uploading'))).toHaveLength(4);
  // One is listed everywhere.
  expect(found).toHaveLength(1 + 6 * 4);
  failure = refused(14, 'away');
  await expect(replayed()).rejects.toThrow('away');
  await expect(replayed(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
});

it('the replay ends at its limit, and when it is aborted, though one run hangs', async () => {
  const hangs = (stop: AbortSignal) => new Promise<string[]>(() => stops.push(stop));
  const stops: AbortSignal[] = [];
  const ended = new AbortController();
  await expect(within(1, ended.signal, hangs)).rejects.toThrow('not replayed within 0.001 s');
  const asked = within(60_000, ended.signal, hangs);
  ended.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
  expect(stops.map(({ aborted }) => aborted)).toEqual([true, true]);
});

it('two servers are told apart where host and process id are the same, as in containers', () => {
  expect(controlIdentity()).not.toBe(controlIdentity());
});

it('a stop while Temporal is looked for is heard before anything is served', async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const temporal = { address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  const options = {
    ...{ log: pino({ level: 'silent' }), cacheFolder: '/', workflowQueue: 'queue' },
    bundle: { codePath: '/', digest: 'mine' },
  };
  await expect(startControl({ ...options, temporal, signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  let find: () => void = () => undefined;
  const found = new Promise<void>((resolve) => {
    find = resolve;
  });
  const kept = keepControl(options, async () => {
    await found;
    return { temporal };
  });
  const stopped = kept.stop();
  find();
  await stopped;
  expect(connections).toBe(0);
});
