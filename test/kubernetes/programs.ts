/** The programs of a Kubernetes node, of one version: those of Kubernetes from its sources, built once for this machine; the others of Debian. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../contracts/folders.ts';
import { runProgram } from '../../worker/run-program.ts';
import { must } from '../containers/docker.ts';

export const cache = cacheFolder({ env: process.env, platform: platform(), home: homedir() });
const version = '1.34.4';
export const kubernetesPrograms = join(cache, 'bin', `kubernetes-${version}`);

const programs = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubectl'];
/** Modules that Kubernetes' own names by folders beside it, and that are published as v0.<minor>.<patch>. */
const staging = [
  ...['api', 'apiextensions-apiserver', 'apimachinery', 'apiserver', 'cli-runtime', 'client-go', 'cloud-provider'],
  ...['cluster-bootstrap', 'code-generator', 'component-base', 'component-helpers', 'controller-manager', 'cri-api'],
  ...['cri-client', 'csi-translation-lib', 'dynamic-resource-allocation', 'endpointslice', 'externaljwt', 'kms'],
  ...['kube-aggregator', 'kube-controller-manager', 'kube-proxy', 'kube-scheduler', 'kubectl', 'kubelet', 'metrics'],
  ...['mount-utils', 'pod-security-admission', 'sample-apiserver', 'sample-cli-plugin', 'sample-controller'],
];

/** Programs by which a package of Debian is known to be there. */
const packages = {
  etcd: 'etcd-server',
  containerd: 'containerd',
  ctr: 'containerd',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  conntrack: 'conntrack',
  ethtool: 'ethtool',
  socat: 'socat',
  iptables: 'iptables',
  ip: 'iproute2',
  setpriv: 'util-linux',
};

/** Minutes, the first time. */
export async function makeKubernetes(): Promise<void> {
  const missing = new Set<string>();
  for (const [program, name] of Object.entries(packages)) {
    const { code } = await runProgram('sh', ['-c', `command -v ${program}`], { env: process.env });
    if (code !== 0) missing.add(name);
  }
  if (missing.size > 0) {
    await must('apt-get', ['update']);
    await must('apt-get', ['install', '--yes', '--no-install-recommends', ...missing]);
  }
  if (!existsSync(kubernetesPrograms)) await build();
}

async function build(): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-kubernetes-'));
  await mkdir(join(cache, 'bin'), { recursive: true });
  const beside = await mkdtemp(join(cache, 'bin', '.kubernetes-'));
  const [, minor = '', patch = ''] = version.split('.');
  try {
    const replaced = staging.map((name) => `replace k8s.io/${name} => k8s.io/${name} v0.${minor}.${patch}`);
    const module = [
      'module epochal.test/kubernetes',
      'go 1.24.0',
      `require k8s.io/kubernetes v${version}`,
      ...replaced,
    ];
    await writeFile(join(scratch, 'go.mod'), `${module.join('\n')}\n`);
    const imported = programs.map((name) => `import _ "k8s.io/kubernetes/cmd/${name}"`);
    await writeFile(join(scratch, 'tools.go'), `//go:build tools\n\npackage tools\n\n${imported.join('\n')}\n`);
    const env = { ...process.env, GOFLAGS: '-mod=mod -trimpath -buildvcs=false' };
    await must('go', ['mod', 'tidy', '-e'], { cwd: scratch, env });
    // Clients refuse a server that does not say its version.
    const told = { gitVersion: `v${version}`, gitMajor: '1', gitMinor: minor, gitTreeState: 'clean' };
    const flags = Object.entries(told).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
    const paths = programs.map((name) => `k8s.io/kubernetes/cmd/${name}`);
    await must('go', ['build', '-ldflags', `-s -w ${flags.join(' ')}`, '-o', `${beside}/`, ...paths], {
      ...{ cwd: scratch, env },
    });
    await rename(beside, kubernetesPrograms);
  } finally {
    await rm(scratch, { recursive: true, force: true });
    await rm(beside, { recursive: true, force: true });
  }
}
