/** A worker that an agent of a Supervisely server has started as the task of an app: what the agent sets is all that it needs, and a task that is stopped loses nothing. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { readText } from '../../../stores/artifact-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { FaultHosts, type FaultWorker } from '../../faults/fault-host.ts';
import { withVariables } from './object-stage.ts';
import { TeamFilesStandIn } from './team-files-stand-in.ts';

const token = 'not-a-token-of-anybody';
const address = 'teamfiles:/epochal';
let server: TeamFilesStandIn;
let endpoint: string;
let hosts: FaultHosts;
beforeEach(async () => {
  server = new TeamFilesStandIn(token);
  endpoint = await server.listen();
  hosts = await FaultHosts.open(inject('temporalAddress'), { store: address });
});
afterEach(async () => {
  await hosts.close();
  await server.close();
});

/** With the variables of an app, and a synced folder of its own. */
async function app(task: number): Promise<FaultWorker> {
  server.data.outputs.set(task, {});
  const synced = join(hosts.folder, `task-${task}`);
  const env = {
    ...{ SERVER_ADDRESS: endpoint, API_TOKEN: token, TASK_ID: `${task}`, AGENT_ID: '5', SLY_APP_DATA_DIR: synced },
    ...{ 'context.teamId': '7', 'context.workspaceId': '58', 'modal.state.slyProjectId': '1951' },
    EPOCHAL_DATA_DIR: '',
  };
  return hosts.worker({ dataFolder: synced, env });
}

/** That the agent reads, which knows lines of the SDK alone. */
async function linesOf(worker: FaultWorker) {
  const lines = (await readFile(worker.log, 'utf8')).split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as { message: string; level: unknown; current?: number });
}

it('trains, and when its task is stopped the next one completes the run, and shows it', async () => {
  const first = await app(77);
  const hold = await hosts.hold('3:1');
  const run = await hosts.start({ epochs: 4, parameters: hold.parameters });
  await run.until('has an epoch in the store', ({ checkpoints }) => checkpoints.some(({ stored }) => stored));
  // As an agent stops a task.
  first.signal('SIGTERM');
  expect(await first.exited).toBe(0);
  await hold.release();
  const second = await app(78);
  const { receipt } = await run.closed();
  expect(receipt).toMatchObject({ outcome: 'completed', batches: { wasted: 0 } });
  expect(receipt?.restarts.map(({ reason }) => reason)).toEqual(['preemption']);
  const shown = () => server.data.outputs.get(78);
  const experiment = { data: { experiment_name: run.id, task_id: 78 } };
  await expect.poll(shown, { timeout: 120_000, interval: 200 }).toMatchObject({ experiment });
  await withVariables({ SERVER_ADDRESS: endpoint, API_TOKEN: token, TEAM_ID: '7' }, async () => {
    const written = await readText(openStore(address), `experiments/default/${run.id}/receipt.json`);
    expect(JSON.parse(written ?? '')).toMatchObject({ outcome: 'completed' });
  });
  for (const worker of [first, second]) {
    const lines = await linesOf(worker);
    expect(lines.filter(({ message, level }) => typeof message !== 'string' || typeof level !== 'string')).toEqual([]);
    expect(await readFile(worker.log, 'utf8')).not.toContain(token);
  }
  const progress = (await linesOf(second)).filter(({ message }) => message === 'progress');
  expect(progress.at(-1)).toMatchObject({ level: 'info', current: 4, total: 4, subtask: `${run.id}: epochs` });
});
