/** Stores on the Azure server. */
import { inject } from 'vitest';
import { AzureBucket } from '../../../stores/azure-bucket.ts';
import { type AzureServer, testContainer } from './azure-server.ts';
import { ObjectStage } from './object-stage.ts';

export const hasAzure = inject('azure') !== null;

export function azureServer(): AzureServer {
  const server = inject('azure');
  if (server === null) throw new Error('there is no Azure server');
  return server;
}

export const azure = new ObjectStage(
  `az://${testContainer}`,
  (sizes) => new AzureBucket(testContainer, sizes),
  azureServer,
  (endpoint) => ({
    AZURE_STORAGE_ACCOUNT: azureServer().account,
    AZURE_STORAGE_KEY: azureServer().key,
    AZURE_STORAGE_SERVICE_ENDPOINT: `${endpoint}/${azureServer().account}`,
  }),
);
