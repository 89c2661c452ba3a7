/** What the programs of the node are configured with: everything in its own folder, on the loopback, and on a bridge of its own. */
import { join } from 'node:path';

export const nodeName = 'node1';
export const bridge = 'epochal0';
/** Of pods; the host is the first of them. */
export const hostAddress = '10.88.0.1';
export const pauseImage = 'epochal.test/pause:1';

export const socketIn = (folder: string) => join(folder, 'containerd.sock');

/** `restrict_oom_score_adj`: where this machine is a container itself, no sandbox starts without it. */
export const containerdConfig = (folder: string) => `version = 2
root = "${folder}/containerd"
state = "${folder}/containerd-state"
[grpc]
address = "${socketIn(folder)}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`;

/** The firewall plugin: a Docker engine has the kernel forward nothing that nobody allows. */
export const networkConfig = (folder: string) =>
  JSON.stringify({
    cniVersion: '0.4.0',
    name: 'epochal-test',
    plugins: [
      {
        ...{ type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true },
        ipam: {
          type: 'host-local',
          dataDir: join(folder, 'addresses'),
          ranges: [[{ subnet: '10.88.0.0/16', gateway: hostAddress }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'firewall' },
    ],
  });

export const kubeletConfig = (folder: string, port: number) =>
  JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    ...{ port, healthzPort: 0, cgroupDriver: 'cgroupfs', failSwapOn: false, failCgroupV1: false },
    containerRuntimeEndpoint: `unix://${socketIn(folder)}`,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    evictionHard: {
      ...{ 'memory.available': '50Mi', 'nodefs.available': '1%', 'nodefs.inodesFree': '1%', 'imagefs.available': '1%' },
    },
    ...{ podLogsDir: join(folder, 'pod-logs'), volumePluginDir: join(folder, 'volume-plugins') },
    // Nobody could pull an image again.
    ...{ imageGCHighThresholdPercent: 100, imageGCLowThresholdPercent: 99 },
  });

export const kubeconfig = (port: number, token: string) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  });
