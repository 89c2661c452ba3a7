/** One server that speaks as Google Cloud Storage for all test files of `npm run test:stores`, with a bucket. */
import type { TestProject } from 'vitest/node';
import { startServer } from './server-process.ts';
import { gcsProgram } from './server-programs.ts';

export interface GcsServer {
  /** `http://127.0.0.1:PORT`. */
  endpoint: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Null where there is no server and none can be had. */
    gcs: GcsServer | null;
  }
}

export const testGcsBucket = 'epochal-tests';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer('Google Cloud Storage', await gcsProgram(), (port) => [
    ...['-backend', 'memory', '-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-log-level', 'error'],
    // Objects by path are served below the address that others have, too: links lead there.
    ...['-public-host', '127.0.0.1'],
  ]);
  if (server) {
    const made = await fetch(`${server.endpoint}/storage/v1/b?project=epochal`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: testGcsBucket }),
    });
    if (!made.ok) throw new Error(`the server of Google Cloud Storage made no bucket: ${await made.text()}`);
  }
  project.provide('gcs', server && { endpoint: server.endpoint });
  return async () => {
    await server?.stop();
  };
}
