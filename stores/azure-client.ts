/**
 * The client of Azure's SDK, by the settings that Azure's own command line has: a connection string, or the name of an account with its key, a shared
 * access signature, or else an identity, which the SDK finds by its own default chain.
 */
import type { BlobServiceClient, RequestPolicyFactory } from '@azure/storage-blob';
import { BucketError } from './bucket.ts';
import { SharedClient } from './shared-client.ts';

/** The one of this process. */
export const azureService = new SharedClient(
  [
    'AZURE_STORAGE_CONNECTION_STRING',
    'AZURE_STORAGE_ACCOUNT',
    'AZURE_STORAGE_SERVICE_ENDPOINT',
    'AZURE_STORAGE_KEY',
    'AZURE_STORAGE_SAS_TOKEN',
    ...['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_CLIENT_CERTIFICATE_PATH'],
  ],
  connect,
);

async function connect(): Promise<BlobServiceClient> {
  const sdk = await import('./azure-sdk.ts');
  const {
    AZURE_STORAGE_CONNECTION_STRING: connectionString,
    AZURE_STORAGE_ACCOUNT: account,
    AZURE_STORAGE_SERVICE_ENDPOINT: endpoint,
    AZURE_STORAGE_KEY: key,
    AZURE_STORAGE_SAS_TOKEN: token,
  } = process.env;
  const open = (url: string, credential: BlobServiceClient['credential']) => {
    // Tried again by us, who can say so meanwhile, and who know what is worth it.
    const pipeline = sdk.newPipeline(credential, { retryOptions: { maxTries: 1 } });
    pipeline.factories.push(checkedOnArrival);
    return new sdk.BlobServiceClient(url, pipeline);
  };
  if (connectionString) {
    try {
      const { url, credential } = sdk.BlobServiceClient.fromConnectionString(connectionString);
      return open(url, credential);
    } catch {
      // What it says of it may have parts of it.
      throw new BucketError('refused', 'AZURE_STORAGE_CONNECTION_STRING of this worker is not a connection string');
    }
  }
  if (!account) {
    const why = 'no Azure account is set on this worker: AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING';
    throw new BucketError('refused', why);
  }
  const url = (endpoint || `https://${account}.blob.core.windows.net`).replace(/\/+$/, '');
  if (!URL.canParse(url)) {
    const which = endpoint ? 'AZURE_STORAGE_SERVICE_ENDPOINT' : 'AZURE_STORAGE_ACCOUNT';
    throw new BucketError('refused', `${which} of this worker is not valid`);
  }
  if (key) return open(url, new sdk.StorageSharedKeyCredential(account, key));
  if (token) return open(`${url}?${token.replace(/^\?/, '')}`, new sdk.AnonymousCredential());
  return open(url, new sdk.DefaultAzureCredential());
}

/**
 * Of a blob that is put in one request the SDK tells Azure an MD5 to keep, and none to check what arrives by. It is the same one: both are of the
 * body.
 */
const checkedOnArrival: RequestPolicyFactory = {
  create: (next) => ({
    sendRequest: (request) => {
      const md5 = request.headers.get('x-ms-blob-content-md5');
      if (md5 !== undefined && request.method === 'PUT' && !new URL(request.url).searchParams.has('comp'))
        request.headers.set('content-md5', md5);
      return next.sendRequest(request);
    },
  }),
};
