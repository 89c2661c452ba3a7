/**
 * One real Temporal dev server for a whole test run. Tests read its address as
 * `inject('temporalAddress')` from vitest; processes that tests start find it in EPOCHAL_TEST_TEMPORAL_ADDRESS.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureTemporalBinary } from '../launch/temporal-binary.ts';
import { startTemporalServer } from '../launch/temporal-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** `127.0.0.1:34567` */
    temporalAddress: string;
    /** The `temporal` program, for tests of the plain command line. */
    temporalBinary: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { path: binary } = await ensureTemporalBinary({
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  const folder = await mkdtemp(join(tmpdir(), 'epochal-test-server-'));
  const server = await startTemporalServer({ binary, logFile: join(folder, 'temporal.log'), ui: false });
  process.env.EPOCHAL_TEST_TEMPORAL_ADDRESS = server.address;
  project.provide('temporalAddress', server.address);
  project.provide('temporalBinary', binary);
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
