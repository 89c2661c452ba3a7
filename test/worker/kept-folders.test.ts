/** Kept run folders go by age and to free space, and never while anything in them is not verified in the store. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keptFileSchema, Upkeep } from '../../worker/upkeep.ts';
import { TestHost } from '../support/test-host.ts';

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.start();
});
afterAll(() => host?.stop());

const day = 24 * 3600 * 1000;
const noLimit = { keptDays: 0, keptFreeBytes: 0 };
const always = { keptDays: 0, keptFreeBytes: Number.MAX_SAFE_INTEGER };

/** A round of upkeep under these limits. */
async function upkeep(limits: { keptDays: number; keptFreeBytes: number }): Promise<void> {
  Object.assign(host.worker.host.settings, limits);
  try {
    await new Upkeep(host.worker.host).round();
  } finally {
    Object.assign(host.worker.host.settings, noLimit);
  }
}

/** A run that failed, with all that it had in the store and its folder kept. */
async function kept(): Promise<{ path: string; output: string }> {
  const run = await host.start(
    host.config({ parameters: { fail_at: '2:1', fail_times: 0 }, failures: { restarts: 0 } }),
  );
  await run.handle.result().catch(() => undefined);
  const path = join(host.settings.dataFolder, 'runs', run.id);
  expect(existsSync(join(path, 'kept.json'))).toBe(true);
  return { path, output: join(host.settings.store, 'experiments', 'default', run.id) };
}

async function endedDaysAgo(path: string, days: number): Promise<void> {
  const file = keptFileSchema.parse(JSON.parse(await readFile(join(path, 'kept.json'), 'utf8')));
  const endedAt = new Date(Date.now() - days * day).toISOString();
  await writeFile(join(path, 'kept.json'), JSON.stringify({ ...file, receipt: { ...file.receipt, endedAt } }));
}

describe('a kept folder', () => {
  it('stays for good without a limit, and is removed to free space once all of it is in the store', async () => {
    const { path } = await kept();
    await endedDaysAgo(path, 1000);
    const project = join(host.settings.cacheFolder, 'supervisely', 'server-1', '0123456789abcdef');
    await mkdir(project, { recursive: true });
    await utimes(project, 1, 1);
    const session = join(path, 'session.json');
    await writeFile(session, JSON.stringify({ ...JSON.parse(await readFile(session, 'utf8')), data: project }));
    await upkeep(noLimit);
    expect(existsSync(path)).toBe(true);
    // And so does what it was trained on, also where another worker looks for what nobody has asked for.
    expect(Date.now() - (await stat(project)).mtimeMs).toBeLessThan(day);
    await upkeep(always);
    expect(existsSync(path)).toBe(false);
  });

  it('goes by its age', async () => {
    const { path } = await kept();
    await endedDaysAgo(path, 6);
    await upkeep({ keptDays: 7, keptFreeBytes: 0 });
    expect(existsSync(path)).toBe(true);
    await endedDaysAgo(path, 8);
    await upkeep({ keptDays: 7, keptFreeBytes: 0 });
    expect(existsSync(path)).toBe(false);
  });

  it('stays, whatever the limits, with a file that the store does not have', async () => {
    const { path } = await kept();
    await endedDaysAgo(path, 1000);
    await writeFile(join(path, 'artifacts', 'notes.txt'), 'not published');
    await upkeep({ keptDays: 1, keptFreeBytes: Number.MAX_SAFE_INTEGER });
    expect(existsSync(join(path, 'artifacts', 'notes.txt'))).toBe(true);
  });

  it('stays, whatever the limits, while a copy in the store is damaged or gone', async () => {
    const { path, output } = await kept();
    const rows = join(output, 'metrics.jsonl');
    const bytes = await readFile(rows);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await writeFile(rows, bytes);
    await upkeep(always);
    expect(existsSync(path)).toBe(true);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await writeFile(rows, bytes);
    await upkeep(always);
    expect(existsSync(path)).toBe(false);
  });
});
