/** A host whose sessions are processes runs one in a container where its configuration names an image, and waits for an engine that is away. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readContainerRecord } from '../../worker/container-record.ts';
import { ContainerEngine } from '../../worker/launchers/container-engine.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { runProgram } from '../../worker/run-program.ts';
import { FaultHosts } from '../faults/fault-host.ts';
import { FaultServer } from '../faults/fault-server.ts';
import { until } from '../support/until.ts';
import { counterImage, makeCounterImage } from './contained.ts';
import { docker } from './docker.ts';

const command = fileURLToPath(new URL('../../bin/epochal.mjs', import.meta.url));
const allowed = { EPOCHAL_CONTAINER_IMAGES: counterImage, EPOCHAL_CONTAINER_SHM_GB: '0.5' };
let server: FaultServer;
let hosts: FaultHosts;

beforeAll(async () => {
  await makeCounterImage();
  server = await FaultServer.start(await mkdtemp(join(tmpdir(), 'epochal-images-server-')));
  hosts = await FaultHosts.open(server.address);
}, 600_000);
afterAll(async () => {
  await hosts?.close();
  await server?.stop();
});

it('trains in the image and within the limits of its configuration, once the engine answers', async () => {
  // A socket that is not there yet is an engine that is away.
  const socket = join(hosts.folder, 'docker.sock');
  const worker = await hosts.worker({ env: { ...allowed, DOCKER_HOST: `unix://${socket}` } });
  const config = { image: counterImage, limits: { memory: 0.4, processes: 64 }, epochs: 2 };
  // However long a busy machine takes to look: it trains until it is stopped.
  const slow = { batches: 100_000, batch_seconds: 0.05 };
  const refused = await hosts.start({ ...config, parameters: slow });
  // Like a store that is away: who asks is told.
  const { problems } = await refused.until('is refused', ({ state }) => state === 'stopped');
  expect(problems.join('\n')).toMatch(/image is .* must be able to run on .*docker/);
  await runProgram('ln', ['-s', '/var/run/docker.sock', socket]);
  const run = await hosts.start({ ...config, parameters: slow });
  const folder = new RunFolders(worker.dataFolder).of(run.place);
  const record = await until('it is in a container', () => readContainerRecord(folder));
  const inspect = async () =>
    docker(['inspect', '--format', '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.Image}}', record.name]);
  const image = await new ContainerEngine('docker').imageId(counterImage);
  expect(await until('it is there', () => inspect().catch(() => null))).toBe(`400000000 64 sha256:${image}`);
  // The engine goes while the run pauses, and comes back: its next session waits for it.
  await run.update('pause');
  await run.until('pauses', ({ detail }) => detail === 'training.paused');
  await runProgram('rm', [socket]);
  await run.update('resume');
  await run.waitsFor('the container engine');
  await runProgram('ln', ['-s', '/var/run/docker.sock', socket]);
  await run.until('trains again', ({ detail }) => detail === 'training.epoch');
  await run.update('stop', { mode: 'batch' });
  const { receipt } = await run.closed();
  expect(receipt).toMatchObject({ outcome: 'stopped', restarts: [], materials: { image, environment: null } });
  expect(await new ContainerEngine('docker').state(record.name)).toBeNull();
});

it('waits for a host that has an engine where the one that is there has none', async () => {
  for (const worker of hosts.workers) await worker.kill();
  const worker = await hosts.worker({ env: allowed });
  const parameters = { batches: 100_000, batch_seconds: 0.05 };
  const run = await hosts.start({ image: counterImage, epochs: 2, parameters });
  await run.until('trains', ({ detail }) => detail === 'training.epoch');
  await run.update('pause');
  await run.until('pauses', ({ detail }) => detail === 'training.paused');
  await worker.kill();
  // Of the engines that there are it is the one that this machine does not have.
  const other = await hosts.worker({ env: { ...allowed, EPOCHAL_CONTAINER_ENGINE: 'podman' } });
  await run.update('resume');
  const isRefused = ({ failure }: { failure?: { kind: string } | null }) => failure?.kind === 'noContainer';
  await run.until('is refused there', ({ restarts }) => restarts.some(isRefused));
  await worker.start();
  await other.kill();
  await run.until('trains again', ({ detail }) => detail === 'training.epoch');
  await run.update('stop', { mode: 'batch' });
  const { receipt } = await run.closed();
  expect(receipt).toMatchObject({ outcome: 'stopped', materials: { image: expect.any(String) } });
  // None of these is a failure of the training.
  expect(receipt?.restarts.filter((restart) => !isRefused(restart))).toEqual([]);
});

it('doctor names the folders that a worker in a container has elsewhere than its host', async () => {
  const data = await mkdtemp(join(hosts.folder, 'data-'));
  const env = {
    ...process.env,
    ...{ EPOCHAL_LAUNCHER: 'container', EPOCHAL_CONTAINER_IMAGE: counterImage, EPOCHAL_DATA_DIR: data },
  };
  const findings = async (script: string) => {
    const { stdout } = await runProgram('sh', ['-c', script, 'sh', command, data], { env });
    const all: { what: string; status: string; detail: string }[] = JSON.parse(stdout).findings;
    return all.filter(({ what }) => ['container engine', 'folders of the worker'].includes(what));
  };
  const engine = { what: 'container engine', status: 'ok' };
  expect(await findings('exec node "$1" doctor --json')).toEqual([expect.objectContaining(engine)]);
  // As in a container: its own folder under the path.
  const elsewhere =
    'exec unshare --mount sh -c \'mount -t tmpfs none "$2" && exec node "$1" doctor --json\' sh "$1" "$2"';
  expect(await findings(elsewhere)).toEqual([
    expect.objectContaining(engine),
    expect.objectContaining({ status: 'missing', detail: expect.stringContaining(data) }),
  ]);
});
