/** A Kubernetes node of this machine, control plane included: the real programs, in a folder of their own, ended one by one afterwards. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../worker/run-program.ts';
import { build, unlessThere } from '../containers/base-images.ts';
import { docker, must } from '../containers/docker.ts';
import { freePort } from '../containers/stack.ts';
import { until } from '../support/until.ts';
import {
  bridge,
  containerdConfig,
  kubeconfig,
  kubeletConfig,
  networkConfig,
  nodeName,
  pauseImage,
  socketIn,
} from './node-files.ts';
import { cache, kubernetesPrograms } from './programs.ts';
import { Started } from './started.ts';

export class KubernetesNode {
  readonly #started: Started[] = [];

  private constructor(readonly folder: string) {}

  /** Ready for pods. */
  static async start(): Promise<KubernetesNode> {
    await makePauseImage();
    await mkdir(cache, { recursive: true });
    // Not in the folder for temporary files: that may be a file system that layers of images cannot lie on.
    const node = new KubernetesNode(await mkdtemp(join(cache, 'node-')));
    try {
      await node.#start();
      return node;
    } catch (error) {
      await node.stop();
      throw error;
    }
  }

  get kubeconfig(): string {
    return join(this.folder, 'kubeconfig');
  }

  get logs(): string {
    return join(this.folder, 'logs');
  }

  /** What it wrote to stdout. */
  async kubectl(...args: string[]): Promise<string> {
    return (await must(join(kubernetesPrograms, 'kubectl'), ['--kubeconfig', this.kubeconfig, ...args])).stdout;
  }

  async apply(...objects: object[]): Promise<void> {
    const input = objects.map((object) => JSON.stringify(object)).join('\n---\n');
    await must(join(kubernetesPrograms, 'kubectl'), ['--kubeconfig', this.kubeconfig, 'apply', '--filename', '-'], {
      input,
    });
  }

  /** An image of the Docker engine, which pods then have without a registry. */
  async take(image: string): Promise<void> {
    const file = join(this.folder, 'image.tar');
    await docker(['save', '--output', file, image]);
    await this.#ctr('images', 'import', file);
    await rm(file);
  }

  /** Everything that was started here, what is mounted, and the folder. */
  async stop(): Promise<void> {
    const started = this.#started.splice(0);
    // The kubelet first, which would start again what is ended; containerd last, which ends it.
    const containerd = started.shift();
    for (const program of started.reverse()) await program.end();
    if (containerd) {
      if (!containerd.hasEnded) await this.#endContainers();
      await containerd.end();
    }
    await this.#unmount();
    await runProgram('ip', ['link', 'delete', bridge], { env: process.env });
    if (process.env.EPOCHAL_KEEP_NODE) return;
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  async #start(): Promise<void> {
    const { folder } = this;
    for (const name of ['logs', 'cni', 'kubelet', 'kubelet-keys', 'api-server'])
      await mkdir(join(folder, name), { mode: 0o700 });
    await this.#startContainerd();
    await this.take(pauseImage);

    const [etcd, peers, api, kubelet] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const [client, peer] = [`http://127.0.0.1:${etcd}`, `http://127.0.0.1:${peers}`];
    await this.#program(
      'etcd',
      ...['--data-dir', join(folder, 'etcd'), '--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
    );
    const key = join(folder, 'service-accounts.pem');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(key, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
    const token = randomBytes(24).toString('hex');
    const tokens = join(folder, 'tokens.csv');
    await writeFile(tokens, `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
    await writeFile(this.kubeconfig, kubeconfig(api, token), { mode: 0o600 });
    const server = await this.#program(
      join(kubernetesPrograms, 'kube-apiserver'),
      ...['--etcd-servers', client, '--secure-port', String(api), '--bind-address', '127.0.0.1'],
      ...['--cert-dir', join(folder, 'api-server'), '--token-auth-file', tokens],
      ...['--service-account-key-file', key, '--service-account-signing-key-file', key],
      ...['--service-account-issuer', 'https://kubernetes.default.svc'],
      ...['--authorization-mode', 'RBAC,Node', '--service-cluster-ip-range', '10.89.0.0/16', '--allow-privileged=true'],
      // The node's name is in no name service.
      ...['--kubelet-preferred-address-types', 'InternalIP'],
    );
    await server.until('the API server is ready', () => this.#says('get', '--raw', '/readyz'));
    const alone = ['--kubeconfig', this.kubeconfig, '--leader-elect=false', '--secure-port', '0'];
    await this.#program(
      join(kubernetesPrograms, 'kube-controller-manager'),
      ...[...alone, '--service-account-private-key-file', key, '--use-service-account-credentials'],
      ...['--root-ca-file', join(folder, 'api-server', 'apiserver.crt')],
    );
    await this.#program(join(kubernetesPrograms, 'kube-scheduler'), ...alone);

    await writeFile(join(folder, 'kubelet.json'), kubeletConfig(folder, kubelet));
    const agent = await this.#program(
      join(kubernetesPrograms, 'kubelet'),
      ...['--config', join(folder, 'kubelet.json'), '--kubeconfig', this.kubeconfig, '--hostname-override', nodeName],
      ...['--root-dir', join(folder, 'kubelet'), '--cert-dir', join(folder, 'kubelet-keys')],
    );
    const isReady = ['wait', '--for=condition=Ready', `node/${nodeName}`, '--timeout=1s'];
    await agent.until('the node is ready', () => this.#says(...isReady));
    // Without it no pod is admitted.
    await until('there is a service account', () => this.#says('get', 'serviceaccount', 'default'));
  }

  async #startContainerd(): Promise<void> {
    const { folder } = this;
    await writeFile(join(folder, 'containerd.toml'), containerdConfig(folder));
    await writeFile(join(folder, 'cni', '10-epochal.conflist'), networkConfig(folder));
    const containerd = await this.#program('containerd', '--config', join(folder, 'containerd.toml'));
    await containerd.until('containerd answers', async () => {
      if (!existsSync(socketIn(folder))) return false;
      return (await runProgram('ctr', ['--address', socketIn(folder), 'version'], { env: process.env })).code === 0;
    });
  }

  async #program(path: string, ...args: string[]): Promise<Started> {
    const started = await Started.program(path, args, this.logs);
    this.#started.push(started);
    return started;
  }

  async #says(...args: string[]): Promise<boolean> {
    const program = join(kubernetesPrograms, 'kubectl');
    return (await runProgram(program, ['--kubeconfig', this.kubeconfig, ...args], { env: process.env })).code === 0;
  }

  async #ctr(...args: string[]): Promise<string[]> {
    const { stdout } = await must('ctr', ['--address', socketIn(this.folder), '--namespace', 'k8s.io', ...args]);
    return stdout.split('\n').filter(Boolean);
  }

  /** Of pods that are still there: each by its id, with its shim. */
  async #endContainers(): Promise<void> {
    for (const id of await this.#ctr('tasks', 'list', '--quiet'))
      await this.#ctr('tasks', 'delete', '--force', id).catch(() => undefined);
    for (const id of await this.#ctr('containers', 'list', '--quiet'))
      await this.#ctr('containers', 'delete', id).catch(() => undefined);
    // Network namespaces of pods are mounts elsewhere, and nobody's by now.
  }

  /** Volumes of pods, and layers of images: nothing of theirs may be removed with the folder. */
  async #unmount(): Promise<void> {
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
    const ours = mounts.filter((path) => path.startsWith(`${this.folder}/`)).toReversed();
    for (const path of ours) await must('umount', ['--lazy', path]);
  }
}

/** What holds the namespaces of a pod: a program that waits for a signal. */
async function makePauseImage(): Promise<void> {
  await unlessThere(pauseImage, async (scratch) => {
    const source = await mkdtemp(join(tmpdir(), 'epochal-pause-'));
    try {
      const lines = ['package main', 'import ("os"; "os/signal"; "syscall")'];
      const main =
        'func main() { told := make(chan os.Signal, 1); signal.Notify(told, syscall.SIGTERM, syscall.SIGINT); <-told }';
      await writeFile(join(source, 'pause.go'), `${[...lines, main].join('\n')}\n`);
      const env = { ...process.env, CGO_ENABLED: '0' };
      await must('go', ['build', '-o', join(scratch, 'pause'), 'pause.go'], { cwd: source, env });
    } finally {
      await rm(source, { recursive: true, force: true });
    }
    await build(pauseImage, 'pause', scratch);
  });
}
