/** What the Temporal UI alone tells of a run: search attributes to find it by, details to read, summaries of activities. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start();
});
afterAll(() => host?.stop());

/** The query that the UI asks for a workflow's current details. */
const detailsOf = async (run: Awaited<ReturnType<TestHost['start']>>): Promise<string> =>
  (await run.handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;

it('tells state, epoch, metrics and output folder while it trains and after', async () => {
  const run = await host.start(
    host.config({ project: 'shown', epochs: 1000, parameters: { batches: 20, batch_seconds: 0.01 } }),
  );
  await run.until('has trained an epoch', ({ position }) => position.epoch >= 1);
  const live = await detailsOf(run);
  expect(live).toContain('training.epoch');
  expect(live).toMatch(/\*\*epoch\*\* \d+ of 1000/);
  expect(live).toMatch(/\*\*metrics\*\* .*loss/);
  expect(live).toContain(`${host.settings.store}/experiments/shown/${run.id}`);
  expect((await run.handle.describe()).searchAttributes).toMatchObject({
    EpochalState: ['training'],
    EpochalDetail: ['training.epoch'],
    EpochalTrainer: ['counter'],
    EpochalProject: ['shown'],
  });

  // Where to look once it is terminated, as nothing can be said of it then.
  expect(live).toContain(`[salvage-${run.id}](/namespaces/default/workflows/salvage-${run.id})`);
  const [began] = (await run.handle.describe()).searchAttributes.EpochalStarted ?? [];
  expect(began).toBeInstanceOf(Date);

  await run.update('stop');
  await run.result();
  expect(await detailsOf(run)).toContain('stopped: stopped');
  const { searchAttributes } = await run.handle.describe();
  expect(searchAttributes).toMatchObject({ EpochalState: ['stopped'], EpochalOutcome: ['stopped'] });
  expect(searchAttributes.EpochalBestMetric?.[0]).toBeTypeOf('number');

  const found = await until('visibility lists it by its attributes', async () => {
    const query = `EpochalProject = "shown" AND EpochalOutcome = "stopped" AND WorkflowId = "${run.id}"`;
    return (await host.client.workflow.count(query)).count > 0;
  });
  expect(found).toBe(true);

  const { events } = await run.handle.fetchHistory();
  const summaries = (events ?? [])
    .flatMap(({ userMetadata }) => userMetadata?.summary?.data ?? [])
    .map((data) => Buffer.from(data).toString('utf8'));
  expect(summaries).toEqual(
    expect.arrayContaining(['"epoch 1 of 1000"', '"stop: batch"', '"publish"', '"remove the run folder"']),
  );
});
