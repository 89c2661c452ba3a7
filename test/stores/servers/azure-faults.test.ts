/** A store on Azure in trouble. */
import { createHash, randomBytes } from 'node:crypto';
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  generateAccountSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { azure, azureServer, hasAzure } from './azure-stage.ts';
import { errorOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import { objectFaults } from './object-faults.ts';
import { withVariables } from './object-stage.ts';

const isPut = ({ method }: Seen) => method === 'PUT';
const refusal = (status: number, code: string, headers: Record<string, string> = {}): Fault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/xml', 'x-ms-error-code': code, ...headers },
  body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
});

describe.skipIf(!hasAzure)('Azure', () => {
  if (hasAzure) azure.hooks();

  objectFaults(azure, {
    isPut,
    isPart: ({ method, url }) => method === 'PUT' && /comp=block(&|$)/.test(url),
    isCompleted: ({ method, url }) => method === 'PUT' && /comp=blocklist(&|$)/.test(url),
    isGet: ({ method, url }) => method === 'GET' && url.includes('/a/file') && !url.includes('comp='),
    isNextPage: ({ url }) => url.includes('marker='),
    corrupt: { kind: 'corruptRequest' },
    throttle: (headers) => refusal(503, 'ServerBusy', headers),
    throttled: 'the server asks for fewer requests (ServerBusy)',
    gone: refusal(400, 'InvalidBlockList'),
    overhead: 10_000,
  });

  it('is told the MD5 of what is on its way, and one that does not answer with it is read back', async () => {
    const bytes = randomBytes(1000);
    azure.proxy.break(isPut, { kind: 'dropAnswerHeaders', names: /^content-md5/ });
    await azure.store.publish(await azure.local('file', bytes), 'b/file');
    const [put, get] = azure.proxy.seen.filter(({ method, url }) => method !== 'HEAD' && url.includes('/b/file'));
    expect(put?.headers['content-md5']).toBe(createHash('md5').update(bytes).digest('base64'));
    expect(get?.method).toBe('GET');
  });

  it('says in milliseconds when it wants to be asked again', async () => {
    const waits: string[] = [];
    azure.proxy.break(isPut, refusal(500, 'OperationTimedOut', { 'x-ms-retry-after-ms': '1100' }));
    const file = await azure.local('file', randomBytes(10));
    await azure.store.publish(file, 'a/file', { onWait: (why) => waits.push(why) });
    expect(waits).toEqual([
      expect.stringContaining('the server took too long (OperationTimedOut); trying again in 2 s'),
    ]);
  });

  it.each([
    ['ContainerNotFound', 404, 'the container does not exist'],
    ['AuthorizationPermissionMismatch', 403, 'access denied; docs/stores.md lists the permissions that a store needs'],
    ['KeyBasedAuthenticationNotPermitted', 403, 'the storage account takes no access keys: use an identity'],
    ['AccountIsDisabled', 403, 'the storage account is disabled'],
    ['BlobImmutableDueToPolicy', 409, 'a policy of the container keeps what is there from being changed'],
    ['Unheard', 400, 'the server refused it: no (Unheard, HTTP 400)'],
  ])('that says %s is told in a sentence, at once, and may be asked again later', async (code, status, why) => {
    azure.proxy.break(() => true, refusal(status, code), Number.POSITIVE_INFINITY);
    expect(await errorOf(azure.store.checkWritable(false))).toMatchObject({
      message: `cannot write in ${azure.address}: ${why}${code === 'Unheard' ? '' : ` (${code})`}`,
      retryable: true,
    });
    expect(azure.proxy.seen).toHaveLength(1);
  });

  it('by another container, account, key, or port, or by none: what is wrong, and no secret', async () => {
    const refused = async (change: Record<string, string | undefined>) =>
      (await withVariables(change, () => errorOf(azure.impatient().checkWritable(false)))).message;
    const other = openStore('az://no-such-container-here/x');
    expect((await errorOf(other.checkWritable(false))).message).toBe(
      'cannot write in az://no-such-container-here/x: the container does not exist (ContainerNotFound)',
    );
    // Nothing there is not told of a store that is not there.
    expect((await errorOf(other.verify('a/file'))).message).toContain('the container does not exist');
    const wrong = randomBytes(32).toString('base64');
    const said = await refused({ AZURE_STORAGE_KEY: wrong });
    expect(said).toMatch(/does not accept the credentials|access denied/);
    expect(said).not.toContain(wrong);
    expect(await refused({ AZURE_STORAGE_SERVICE_ENDPOINT: 'http://127.0.0.1:1/x' })).toContain(
      'nobody answers at its endpoint',
    );
    expect(await refused({ AZURE_STORAGE_ACCOUNT: undefined })).toContain('no Azure account is set on this worker');
    expect(await refused({ AZURE_STORAGE_SERVICE_ENDPOINT: 'not an address' })).toContain(
      'AZURE_STORAGE_SERVICE_ENDPOINT of this worker is not valid',
    );
    expect(await refused({ AZURE_STORAGE_CONNECTION_STRING: `AccountKey=${wrong}` })).toMatch(
      /AZURE_STORAGE_CONNECTION_STRING of this worker is not a connection string$/,
    );
  });

  it('is asked with a connection string, and with a shared access signature until that expires', async () => {
    const { account, key } = azureServer();
    const endpoint = `${azure.proxy.endpoint}/${account}`;
    const without = { AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_ACCOUNT: undefined };
    const connection = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${endpoint};`;
    await withVariables({ ...without, AZURE_STORAGE_CONNECTION_STRING: connection }, async () => {
      expect(await openStore(azure.address).create('a/claim', 'x')).toBe(true);
    });
    const token = (hours: number) =>
      generateAccountSASQueryParameters(
        {
          startsOn: new Date(Date.now() - 7_200_000),
          expiresOn: new Date(Date.now() + hours * 3_600_000),
          permissions: AccountSASPermissions.parse('rwdlc'),
          protocol: SASProtocol.HttpsAndHttp,
          resourceTypes: AccountSASResourceTypes.parse('co').toString(),
          services: AccountSASServices.parse('b').toString(),
        },
        new StorageSharedKeyCredential(account, key),
      ).toString();
    await withVariables({ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: token(1) }, async () => {
      await openStore(azure.address).checkWritable(true);
      expect(await openStore(azure.address).create('a/claim', 'y')).toBe(false);
    });
    const expired = token(-1);
    await withVariables({ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: expired }, async () => {
      const { message } = await errorOf(azure.impatient().read('a/claim'));
      expect(message).toMatch(/renew the Azure credentials of this worker|access denied/);
      expect(message).not.toContain(/sig=([^&]+)/.exec(expired)?.[1] ?? '');
    });
  });

  it('shows nothing of an upload that was given up by a process that was killed just then', async () => {
    const [bucket, key] = [azure.bucket(), `${azure.prefix}/a/file`];
    const upload = await bucket.beginUpload(key, {});
    await bucket.putPart(key, upload, 1, randomBytes(9), randomBytes(32), {});
    azure.proxy.break(({ method }) => method === 'DELETE', refusal(403, 'AuthorizationFailure'));
    await expect(bucket.abortUpload(key, upload, {})).rejects.toThrow('access denied');
    expect(await azure.store.verify('a/file')).toBeNull();
    expect(await azure.store.read('a/file')).toBeNull();
    expect(await azure.paths('a')).toEqual([]);
    expect(await azure.uploadsLeft()).toEqual([key]);
    await azure.impatient({ staleMs: -60_000 }).tidy('a');
    expect(await azure.uploadsLeft()).toEqual([]);
  });
});
