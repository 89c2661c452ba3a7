/** Links to what is stored on Azure and Google Cloud: who has one needs no rights, for this file, for a while. */
import { createHash, createVerify, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  generateAccountSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { linkSeconds } from '../../../contracts/run-files.ts';
import { openStore } from '../../../stores/open-store.ts';
import { azure, azureServer, hasAzure } from './azure-stage.ts';
import { testGcsBucket } from './gcs-server.ts';
import { gcs, hasGcs } from './gcs-stage.ts';
import { type ObjectStage, withVariables } from './object-stage.ts';
import { sha256 } from './store-contract.ts';

const answer = { type: 'application/octet-stream', disposition: `attachment; filename="it's (1).bin"` };
const path = `a b/it's (é) & +1.bin`;

const linkTo = async (stage: ObjectStage, of = path, seconds = linkSeconds) =>
  (await openStore(stage.address).link?.(of, { ...answer, seconds })) ?? null;

/** A file, and the link to it, which leads to all of it and to ranges. */
async function linked(stage: ObjectStage): Promise<string> {
  const bytes = randomBytes(2_500_000);
  await stage.inSmallParts().publish(await stage.local('file', bytes), path);
  const link = (await linkTo(stage)) ?? expect.fail('there is no link');
  const whole = await fetch(link);
  expect(whole.status, link).toBe(200);
  expect(sha256(Buffer.from(await whole.arrayBuffer()))).toBe(sha256(bytes));
  const part = await fetch(link, { headers: { range: 'bytes=1900000-1900099' } });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe('bytes 1900000-1900099/2500000');
  expect(Buffer.compare(Buffer.from(await part.arrayBuffer()), bytes.subarray(1_900_000, 1_900_100))).toBe(0);
  return link;
}

describe.skipIf(!hasAzure)('a link to a file on Azure', () => {
  if (hasAzure) azure.hooks();
  const reached = (more: Record<string, string | undefined> = {}) => ({
    EPOCHAL_LINK_ENDPOINT_AZURE: `${azure.proxy.endpoint}/${azureServer().account}`,
    ...more,
  });

  it('is signed by the account key: to be read, saved under its name, until it ends, and for nothing else', () =>
    withVariables(reached(), async () => {
      const link = await linked(azure);
      const { searchParams } = new URL(link);
      expect(searchParams.get('sp')).toBe('r');
      expect(searchParams.get('sr')).toBe('b');
      expect(Date.parse(searchParams.get('se') ?? '')).toBeLessThanOrEqual(Date.now() + 300_000);
      expect(link).not.toContain(encodeURIComponent(azureServer().key));
      const { headers } = await fetch(link);
      expect(headers.get('content-disposition')).toBe(answer.disposition);
      expect(headers.get('content-type')).toBe(answer.type);

      await azure.store.write('a b/other', 'of somebody else');
      const [before, query] = link.split('?');
      const other = `${before?.slice(0, before.indexOf('/a%20b/'))}/a%20b/other?${query}`;
      const later = link.replace(
        /se=[^&]+/,
        `se=${encodeURIComponent(new Date(Date.now() + 3_600_000).toISOString())}`,
      );
      for (const [address, method] of [
        [other, 'GET'],
        [before ?? '', 'GET'],
        [later, 'GET'],
        [link, 'PUT'],
        [link, 'DELETE'],
      ] as const) {
        const { status } = await fetch(address, { method, headers: { 'x-ms-blob-type': 'BlockBlob' } });
        expect([403, 404], `${method} ${address}`).toContain(status);
      }
      expect(await azure.store.verify(path)).toMatchObject({ size: 2_500_000 });
      const short = (await linkTo(azure, path, 1)) ?? '';
      await expect.poll(async () => (await fetch(short)).status).toBe(403);
    }));

  it('is there with a connection string, and never where all that there is is a signature for the account', async () => {
    const { account, key } = azureServer();
    const without = { AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_ACCOUNT: undefined };
    const endpoint = `${azure.proxy.endpoint}/${account}`;
    const connection = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${endpoint};`;
    await withVariables(reached({ ...without, AZURE_STORAGE_CONNECTION_STRING: connection }), async () =>
      expect(await linkTo(azure)).toContain('sig='),
    );
    const token = generateAccountSASQueryParameters(
      {
        expiresOn: new Date(Date.now() + 3_600_000),
        permissions: AccountSASPermissions.parse('rwdlc'),
        protocol: SASProtocol.HttpsAndHttp,
        resourceTypes: AccountSASResourceTypes.parse('co').toString(),
        services: AccountSASServices.parse('b').toString(),
      },
      new StorageSharedKeyCredential(account, key),
    ).toString();
    await withVariables(reached({ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: token }), async () =>
      expect(await linkTo(azure)).toBeNull(),
    );
  });
});

describe.skipIf(!hasGcs)('a link to a file on Google Cloud Storage', () => {
  if (hasGcs) gcs.hooks();

  it('is signed by the key of a service account, over all that it says; a login of a person signs none', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const credentials = (name: string, content: object) => gcs.local(name, JSON.stringify(content));
    const account = await credentials('account.json', {
      ...{ type: 'service_account', client_email: 'worker@epochal.example', private_key: privateKey },
    });
    const login = await credentials('login.json', {
      ...{ type: 'authorized_user', client_id: 'id', client_secret: 'secret', refresh_token: 'token' },
    });
    const EPOCHAL_LINK_ENDPOINT_GCS = gcs.proxy.endpoint;
    await withVariables({ EPOCHAL_LINK_ENDPOINT_GCS, GOOGLE_APPLICATION_CREDENTIALS: account }, async () => {
      const link = await linked(gcs);
      const { searchParams, host, pathname, search } = new URL(link);
      expect(pathname).toMatch(new RegExp(`^/${testGcsBucket}/.*/a%20b/it%27s%20%28%C3%A9%29%20%26%20%2B1\\.bin$`));
      expect(searchParams.get('X-Goog-Expires')).toBe('300');
      expect(searchParams.get('response-content-disposition')).toBe(answer.disposition);
      expect(searchParams.get('response-content-type')).toBe(answer.type);
      expect(Math.abs(Date.now() - timeOf(searchParams.get('X-Goog-Date') ?? ''))).toBeLessThan(60_000);
      // As Google checks it.
      const [query = '', signature = ''] = search.slice(1).split('&X-Goog-Signature=');
      const request = ['GET', pathname, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n');
      const scope = (searchParams.get('X-Goog-Credential') ?? '').replace('worker@epochal.example/', '');
      const digest = createHash('sha256').update(request).digest('hex');
      const signed = ['GOOG4-RSA-SHA256', searchParams.get('X-Goog-Date'), scope, digest].join('\n');
      expect(createVerify('RSA-SHA256').update(signed).verify(publicKey, signature, 'hex')).toBe(true);
    });
    await withVariables({ EPOCHAL_LINK_ENDPOINT_GCS, GOOGLE_APPLICATION_CREDENTIALS: login }, async () =>
      expect(await linkTo(gcs)).toBeNull(),
    );
    await withVariables({ GOOGLE_APPLICATION_CREDENTIALS: account }, async () => expect(await linkTo(gcs)).toBeNull());
  });
});

const timeOf = (text: string) =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
