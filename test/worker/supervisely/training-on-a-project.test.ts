/** A run whose data set is a project of a Supervisely server: checked, downloaded, trained on; its configuration has the version, and no secret. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TrainingClient } from '../../../client/training-client.ts';
import { TestHost } from '../../support/test-host.ts';
import { ProjectStage, token } from './project-stage.ts';

const stage = new ProjectStage();
stage.hooks();
let host: TestHost;
beforeEach(async () => {
  host = await TestHost.start({ settings: { superviselyProjects: [1951, 404], cacheFolder: stage.folder } });
});
afterEach(() => host.stop());

it('trains on what was checked, also where it is not here any longer', async () => {
  const project = join(host.settings.cacheFolder, 'supervisely');
  const client = new TrainingClient(host.client, { workflowQueue: host.settings.workflowQueue });
  const config = { trainer: 'looker', epochs: 1, pool: host.settings.pool, data: 'supervisely:1951' };
  const problems = async (change: object) =>
    client.check({ ...config, ...change }).then(
      () => null,
      (error: Error) => error.message,
    );
  expect(await problems({ data: 'supervisely:fruit' })).toContain(
    'must have the number of a project after supervisely:',
  );
  expect(await problems({ data: 'supervisely:7' })).toContain(
    'data is "supervisely:7": must be a project that runs may read: 1951, 404 (EPOCHAL_SUPERVISELY_PROJECTS of the worker)',
  );
  expect(await problems({ data: 'supervisely:404' })).toContain(
    'data is "supervisely:404": the server has no project 404',
  );
  expect(await problems({ store: '/proc/none' })).toContain('store is "/proc/none"');
  vi.stubEnv('API_TOKEN', 'expired');
  expect(await problems({})).toContain(
    'data is "supervisely:1951": cannot read project 1951: the server does not accept',
  );
  vi.stubEnv('API_TOKEN', token);
  expect(stage.count('images.download')).toBe(0);

  const said: string[] = [];
  const passed = await client.check(config, { onProgress: (doing) => said.push(doing) });
  const { data = '' } = passed.config;
  expect(data).toMatch(/^supervisely:1951@[0-9a-f]{16}$/);
  // As on another host, or after its cache was emptied.
  await rm(project, { recursive: true });
  const run = await host.start({ ...config, data });
  const receipt = await run.handle.result();
  expect(receipt).toMatchObject({ outcome: 'completed', data: { images: 7 } });
  const published = await readFile(join(receipt.outputFolder ?? '', 'config.yaml'), 'utf8');
  expect(published).toContain(`data: ${data}`);
  const history = JSON.stringify(await run.handle.fetchHistory());
  const log = await readFile(join(receipt.outputFolder ?? '', 'logs/trainer.log'), 'utf8');
  for (const text of [history, published, log]) {
    expect(text).not.toContain(token);
    expect(text).not.toContain(Buffer.from(token).toString('base64'));
  }
});
