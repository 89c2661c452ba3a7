/** Volumes in folders of this machine, as an administrator without a provisioner makes them: the store's, and two for each agent. */
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubernetesNode } from './node.ts';

/** Of the image. */
const user = 10001;

export const storeFolder = ({ folder }: KubernetesNode) => join(folder, 'volumes', 'store');

export async function makeVolumes(node: KubernetesNode, agents: number): Promise<void> {
  const folders = join(node.folder, 'volumes');
  await mkdir(folders);
  const volume = async (name: string, storageClassName: string, accessMode: string) => {
    const path = join(folders, name);
    await mkdir(path);
    await chown(path, user, user);
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        ...{ capacity: { storage: '1Gi' }, accessModes: [accessMode], storageClassName },
        ...{ persistentVolumeReclaimPolicy: 'Retain', hostPath: { path, type: 'Directory' } },
      },
    };
  };
  const names = Array.from({ length: agents * 2 }, (_, index) => `agents-${index}`);
  await node.apply(
    await volume('store', 'store', 'ReadWriteMany'),
    ...(await Promise.all(names.map((name) => volume(name, 'agents', 'ReadWriteOnce')))),
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'epochal-store' },
      spec: {
        ...{ storageClassName: 'store', accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } } },
      },
    },
  );
}
