/** The plain `temporal` commands of docs/client.md, run as they stand there. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { workflowQueue } from '../../contracts/queues.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { TestHost } from '../support/test-host.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const document = fileURLToPath(new URL('../../docs/client.md', import.meta.url));

let host: TestHost;
beforeAll(async () => {
  // The names that the document uses, and that are the defaults.
  host = await TestHost.start({ slots: 3, pool: 'gpu', settings: { workflowQueue } });
});
afterAll(() => host?.stop());

async function commandsOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8');
  const blocks = [...text.matchAll(/^```\n(temporal [\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) => block.replaceAll('\\\n', ' ').trim().split('\n'));
}

const shell = (command: string) =>
  run('bash', ['-c', command], {
    env: {
      ...process.env,
      PATH: `${dirname(inject('temporalBinary'))}${delimiter}${process.env.PATH}`,
      TEMPORAL_ADDRESS: inject('temporalAddress'),
    },
  });

const handle = (id: string) => host.client.workflow.getHandle(id);
const isIn = (id: string, detail: string) =>
  until(`${id} is in ${detail}`, async () => (await handle(id).query<RunView>('run')).detail === detail, 180);

it('start, execute, query, pause, resume, stop, configure, list and cancel runs', async () => {
  const commands = await commandsOf(document);
  expect(commands.length).toBeGreaterThan(12);
  for (const command of commands) {
    // The run that later commands talk to has to continue until they do.
    const asRun = command.replace('"epochs": 20}', '"epochs": 20, "parameters": {"batch_delay_seconds": 0.05}}');
    if (/--workflow-id my-digits --name (pause|stop)/.test(command)) await isIn('my-digits', 'training.epoch');
    if (/--workflow-id my-digits --name resume/.test(command)) await isIn('my-digits', 'training.paused');
    if (/cancel --workflow-id my-digits-3/.test(command)) await isIn('my-digits-3', 'training.epoch');
    const { stdout } = await shell(asRun).catch((error: Error) => expect.fail(`${command}\n${error.message}`));
    if (/--type run$/.test(command)) expect(stdout).toContain('my-digits');
    if (/workflow execute .*my-digits-2/.test(command)) expect(stdout).toContain('completed');
  }
  const stopped: unknown = await handle('my-digits').result();
  expect(stopped).toMatchObject({ outcome: 'stopped', cause: { mode: 'epoch' } });
  const drafted: unknown = await handle('my-draft').result();
  expect(drafted).toMatchObject({ outcome: 'completed', epochs: { planned: 2 } });
  await handle('my-digits-3')
    .result()
    .catch(() => undefined);
  expect((await handle('my-digits-3').describe()).status.name).toBe('CANCELLED');
}, 600_000);
