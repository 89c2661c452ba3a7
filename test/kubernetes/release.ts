/** The chart as a release of helm's, and what is asked of it: by kubectl as its operator, and by the API as somebody elsewhere. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { helmProgram } from '../charts/programs.ts';
import { Api, type Details } from '../containers/api.ts';
import { must } from '../containers/docker.ts';
import { until } from '../support/until.ts';
import type { KubernetesNode } from './node.ts';

const chart = fileURLToPath(new URL('../../charts/epochal', import.meta.url));
const values = fileURLToPath(new URL('values.yaml', import.meta.url));
const name = 'epochal';
const ofRelease = `app.kubernetes.io/instance=${name}`;
/** Each kind that the chart makes, and what is made for these. */
const kinds = [
  ...['deployment', 'statefulset', 'daemonset', 'replicaset', 'pod', 'service', 'endpointslice', 'ingress'],
  ...['secret', 'serviceaccount', 'networkpolicy', 'poddisruptionbudget', 'controllerrevision', 'configmap'],
].join(',');

const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
      spec: z.object({ containers: z.array(z.object({ image: z.string() })) }),
      status: z.object({
        podIP: z.string().optional(),
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
      }),
    }),
  ),
});

export interface Pod {
  name: string;
  /** Another one for each pod of a name. */
  uid: string;
  image: string;
  address: string | null;
  /** And not about to go. */
  isReady: boolean;
}

export class Release {
  readonly api = new Api(async () => ({ address: await this.#address(), token: await this.#token() }));
  #known: string | null = null;

  constructor(
    private readonly node: KubernetesNode,
    private readonly temporal: string,
  ) {}

  /** Returns once all is ready. */
  async install(): Promise<void> {
    await this.#helm('install', name, chart, ...this.#set(), '--values', values);
  }

  async upgrade(tag: string): Promise<void> {
    await this.#helm('upgrade', name, chart, ...this.#set(), '--values', values, '--set', `image.tag=${tag}`);
    // helm has waited for the server; a StatefulSet counts as ready while its last pod is replaced.
    await this.node.kubectl('rollout', 'status', `statefulset/${name}-agent`, '--timeout=15m');
  }

  async uninstall(): Promise<void> {
    await this.#helm('uninstall', name, '--wait', '--timeout', '10m');
  }

  async pods(component: 'server' | 'agent'): Promise<Pod[]> {
    const label = `${ofRelease},app.kubernetes.io/component=${component}`;
    const { items } = podsSchema.parse(
      JSON.parse(await this.node.kubectl('get', 'pods', '--selector', label, '--output', 'json')),
    );
    return items.map(({ metadata, spec, status }) => ({
      ...{ name: metadata.name, uid: metadata.uid, address: status.podIP ?? null },
      image: spec.containers[0]?.image ?? '',
      isReady:
        metadata.deletionTimestamp === undefined &&
        status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
    }));
  }

  /** That of the agent which has this host's data folder. */
  async agentOf(host: string): Promise<Pod> {
    for (const pod of await this.pods('agent')) {
      const said = await this.node.kubectl('exec', pod.name, '--', 'cat', '/data/host.json').catch(() => '{}');
      if (JSON.parse(said).host === host) return pod;
    }
    throw new Error(`no agent's pod is host ${host}`);
  }

  allReady(component: 'server' | 'agent', count: number): Promise<Pod[]> {
    return until(
      `${count} pods of ${component} are ready`,
      async () => {
        const ready = (await this.pods(component)).filter(({ isReady }) => isReady);
        return ready.length === count && ready;
      },
      600,
    );
  }

  /** Waits until the run is in the midst of an epoch that is not its first. */
  async inTheMidst(run: string): Promise<Details> {
    return this.api.run(run, 'is in the midst of an epoch', ({ progress }) =>
      progress.some((one) => one.kind === 'training' && one.phase === 'train' && one.epoch > 1 && one.batch >= 5),
    );
  }

  /** Names of what is left of the release; claims of volumes stay by themselves. */
  async left(): Promise<string[]> {
    const said = await this.node.kubectl('get', kinds, '--selector', ofRelease, '--output', 'name');
    const secrets = await this.node.kubectl(
      'get',
      'secret',
      '--selector',
      `owner=helm,name=${name}`,
      '--output',
      'name',
    );
    return `${said}\n${secrets}`.split('\n').filter(Boolean);
  }

  async claims(): Promise<string[]> {
    const said = await this.node.kubectl('get', 'persistentvolumeclaim', '--selector', ofRelease, '--output', 'name');
    return said.split('\n').filter(Boolean);
  }

  /** As docs/production.md tells. */
  async deleteClaims(): Promise<void> {
    await this.node.kubectl('delete', 'persistentvolumeclaim', '--selector', ofRelease);
  }

  #set(): string[] {
    return ['--set', `temporal.address=${this.temporal}`, '--wait', '--timeout', '15m'];
  }

  async #helm(...args: string[]): Promise<void> {
    const folder = join(this.node.folder, 'helm');
    const env = { ...process.env, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
    await must(await helmProgram(), [...args, '--kubeconfig', this.node.kubeconfig], { env });
  }

  /** Of any server: there is no proxy for the service's own address on this node. */
  async #address(): Promise<string> {
    const ready = (await this.pods('server')).find(({ isReady, address }) => isReady && address !== null);
    if (!ready) throw new Error('no server is ready');
    return `http://${ready.address}:8266`;
  }

  async #token(): Promise<string> {
    if (this.#known !== null) return this.#known;
    const path = 'jsonpath={.data.EPOCHAL_TOKEN}';
    const said = await this.node.kubectl('get', 'secret', `${name}-server`, '--output', path);
    this.#known = Buffer.from(said, 'base64').toString();
    return this.#known;
  }
}
