/** One server that speaks as Azure Blob Storage for all test files of `npm run test:stores`, with a container. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { TestProject } from 'vitest/node';
import { startServer } from './server-process.ts';
import { azureProgram } from './server-programs.ts';

export interface AzureServer {
  /** `http://127.0.0.1:PORT`. */
  endpoint: string;
  account: string;
  key: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Null where there is no server and none can be had. */
    azure: AzureServer | null;
  }
}

export const testContainer = 'epochal-tests';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-azure-'));
  const [account, key] = ['epochaltests', randomBytes(32).toString('base64')];
  const server = await startServer(
    'Azure',
    await azureProgram(),
    (port) => [
      ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`, '--location', scratch],
      // The client of a newer version of the service asks for nothing that this one does not know.
      ...['--silent', '--skipApiVersionCheck', '--disableTelemetry'],
    ],
    { AZURITE_ACCOUNTS: `${account}:${key}` },
  );
  if (server) {
    const url = `${server.endpoint}/${account}`;
    const service = new BlobServiceClient(url, new StorageSharedKeyCredential(account, key));
    await service.createContainer(testContainer);
  }
  project.provide('azure', server && { endpoint: server.endpoint, account, key });
  return async () => {
    await server?.stop();
    await rm(scratch, { recursive: true, force: true });
  };
}
