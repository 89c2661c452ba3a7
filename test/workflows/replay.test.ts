/**
 * Determinism: histories that were recorded are replayed with the present code. Those of released versions stay for
 * good, so that a run that is under way survives an upgrade.
 *
 * With `EPOCHAL_RECORD=<name prefix>` runs are made, replayed, and written into `histories/`.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { KeptCheckpoints } from '../../contracts/run-activities.ts';
import type { RunConfig } from '../../contracts/run-config.ts';
import type { SessionReport } from '../../contracts/session.ts';
import { workflowBundle } from '../../server/workflows/workflow-bundle.ts';
import { resetRun } from '../support/reset-run.ts';
import { TestHost, TestRun, testLog } from '../support/test-host.ts';

const folder = fileURLToPath(new URL('./histories', import.meta.url));
const recorded = (await readdir(folder)).filter((file) => file.endsWith('.json'));

let host: TestHost;
let bundle: Awaited<ReturnType<typeof workflowBundle>>;
beforeAll(async () => {
  host = await TestHost.start({ slots: 4 });
  bundle = await workflowBundle(host.settings.cacheFolder, testLog());
});
afterAll(() => host?.stop());

const replay = (history: unknown, run: string) => Worker.runReplayHistory({ workflowBundle: bundle }, history, run);
/** In the format that every Temporal tool reads. */
async function exportHistory(run: string): Promise<string> {
  const args = ['workflow', 'show', '--workflow-id', run, '--output', 'json', '--address', inject('temporalAddress')];
  const { stdout } = await promisify(execFile)(inject('temporalBinary'), args, { maxBuffer: 1 << 26 });
  return `${JSON.stringify(JSON.parse(stdout, withoutPaths))}\n`;
}

/** Histories are published: folders of the machine that recorded them are told by their purpose. */
function withoutPaths(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (key === 'identity') return 'worker@host';
  if (key !== 'data') return replacePaths(value);
  const text = replacePaths(Buffer.from(value, 'base64').toString('utf8'));
  return Buffer.from(text, 'utf8').toString('base64');
}

const replacePaths = (text: string) =>
  text
    .replaceAll(fileURLToPath(new URL('../..', import.meta.url)), '/opt/epochal/')
    .replaceAll(host.settings.cacheFolder, '/var/cache/epochal')
    .replaceAll(host.settings.dataFolder, '/var/lib/epochal')
    .replaceAll(homedir(), '/home/epochal')
    .replaceAll(hostname(), 'host');

const slow = { batches: 100, batch_seconds: 0.02 };

/** Each way through the chart, as a run that really happened. */
const stories: Record<string, () => Promise<TestRun>> = {
  completed: async () => {
    const run = await host.start(host.config({ epochs: 3 }));
    await run.result();
    return run;
  },
  stopped: async () => {
    const run = await host.start(host.config({ epochs: 20, parameters: slow }));
    await run.until('trains', ({ detail }) => detail === 'training.epoch');
    await run.update('stop', { mode: 'epoch' });
    await run.update('stop', { mode: 'batch' });
    await run.result();
    return run;
  },
  cancelled: async () => {
    const run = await host.start(host.config({ epochs: 20, parameters: slow }));
    await run.until('trains', ({ detail }) => detail === 'training.epoch');
    await run.handle.cancel();
    await run.result().catch(() => undefined);
    return run;
  },
  paused: async () => {
    const run = await host.start(host.config({ epochs: 2, parameters: { batches: 40, batch_seconds: 0.02 } }));
    await run.until('trains', ({ detail }) => detail === 'training.epoch');
    await run.update('pause');
    await run.until('is paused', ({ detail }) => detail === 'training.paused');
    await run.update('resume');
    await run.result();
    return run;
  },
  failed: async () => {
    const failures = { restarts: 1, backoffSeconds: 0.1 };
    const run = await host.start(
      host.config({ epochs: 4, parameters: { fail_at: '2:1', fail_kind: 'error', fail_times: 0 }, failures }),
    );
    await run.result().catch(() => undefined);
    return run;
  },
  moved: async () => {
    const run = await host.start(host.config({ epochs: 3, parameters: { batches: 40, batch_seconds: 0.02 } }));
    await run.until('has an epoch', ({ position }) => position.epoch >= 1);
    await resetRun(host.client, run.id, 'last');
    const life = new TestRun(host.client.workflow.getHandle(run.id));
    await life.result();
    return life;
  },
  drafted: async () => {
    const run = await host.start({ trainer: 'counter', pool: host.settings.pool } as never, { draft: true });
    await run.until('is a draft', ({ detail }) => detail === 'configuring.draft');
    await run.update('configure', { epochs: 1 });
    await run.update('train');
    await run.result();
    return run;
  },
};

/** Recording takes its time, and those that are recorded tell as much: it is done when it is asked for. */
const prefix = process.env.EPOCHAL_RECORD;
if (prefix) {
  it.each(Object.entries(stories))('records %s', async (story, live) => {
    const run = await live();
    await replay(await run.handle.fetchHistory(), run.id);
    await writeFile(join(folder, `${prefix}-${story}.json`), await exportHistory(run.id));
  });
}

describe('a history that was recorded is replayed', () => {
  it('there are some', () => expect(recorded.length).toBeGreaterThan(0));
  it.each(recorded)('%s', async (file) => {
    const history = JSON.parse(await readFile(join(folder, file), 'utf8'));
    await replay(history, history.events[0].workflowExecutionStartedEventAttributes.workflowId);
  });
});

it('of a run that had more permanent checkpoints waiting for its store than are kept waiting now', async () => {
  const history = JSON.parse(await readFile(join(folder, 'v0.1-completed.json'), 'utf8')) as Recorded;
  const scheduled = new Map<string, string>();
  const answers: Record<string, Payload[]> = {};
  for (const { eventId, activityTaskScheduledEventAttributes: asked, ...event } of history.events) {
    if (asked) scheduled.set(eventId, asked.activityType.name);
    const { scheduledEventId, result } = event.activityTaskCompletedEventAttributes ?? {};
    const name = scheduled.get(scheduledEventId ?? '');
    if (name && result) answers[name] = [...(answers[name] ?? []), ...result.payloads];
  }
  const rewrite = <T>(payload: Payload | undefined, change: (answer: T) => void): T => {
    const answer = JSON.parse(Buffer.from(payload?.data ?? '', 'base64').toString()) as T;
    change(answer);
    if (payload) payload.data = Buffer.from(JSON.stringify(answer)).toString('base64');
    return answer;
  };
  rewrite<{ config: RunConfig }>(answers.checkConfig?.[0], ({ config }) => {
    config.checkpoints.everyEpochs = 1;
  });
  const { checkpoints } = rewrite<SessionReport>(answers.trainEpoch?.at(-1), (report) => {
    const [last] = report.checkpoints;
    if (!last) return;
    const more = Array.from({ length: 60 }, (_, n) => ({ ...last, name: `more-${n}`, epoch: 2 }));
    report.checkpoints = [...more, last];
  });
  rewrite<KeptCheckpoints>(answers.keepCheckpoints?.at(-1), (kept) => {
    kept.stored = ['epoch-0002', ...checkpoints.map(({ name }) => name)];
    kept.removed = [];
  });
  await replay(history, history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? '');
});

interface Payload {
  data: string;
}
/** As far as it is read here. */
interface Recorded {
  events: {
    eventId: string;
    workflowExecutionStartedEventAttributes?: { workflowId: string };
    activityTaskScheduledEventAttributes?: { activityType: { name: string } };
    activityTaskCompletedEventAttributes?: { scheduledEventId: string; result?: { payloads: Payload[] } };
  }[];
}
