/** A worker that has no key of the Azure account, but an identity: it stores, and signs links by a key that Azure gives it for a while. */
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linkSeconds } from '../../../contracts/run-files.ts';
import { openStore } from '../../../stores/open-store.ts';
import { hasAzure } from './azure-stage.ts';
import { type RunningServer, startServer } from './server-process.ts';
import { azureProgram } from './server-programs.ts';

describe.skipIf(!hasAzure)('a worker with an identity', () => {
  if (!hasAzure) return;
  const [account, key] = ['epochaltests', randomBytes(32).toString('base64')];
  let before: NodeJS.ProcessEnv;
  let scratch: string;
  let azure: RunningServer | null = null;
  let identities: Server;

  beforeAll(async () => {
    before = { ...process.env };
    scratch = await mkdtemp(join(tmpdir(), 'epochal-azure-identity-'));
    // Azure takes tokens over TLS alone. Nobody vouches for this certificate.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    const [certificate, privateKey] = [join(scratch, 'certificate.pem'), join(scratch, 'key.pem')];
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=127.0.0.1'];
    execFileSync('openssl', [...made, '-keyout', privateKey, '-out', certificate], { stdio: 'ignore' });
    azure = await startServer(
      'Azure',
      await azureProgram(),
      (port) => [
        ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`, '--inMemoryPersistence'],
        ...['--oauth', 'basic', '--cert', certificate, '--key', privateKey],
        ...['--silent', '--skipApiVersionCheck', '--disableTelemetry'],
      ],
      { AZURITE_ACCOUNTS: `${account}:${key}` },
      'https',
    );
    const endpoint = `${azure?.endpoint}/${account}`;
    await new BlobServiceClient(endpoint, new StorageSharedKeyCredential(account, key)).createContainer('container');
    identities = createServer((_, answer) => answer.end(JSON.stringify(identityToken())));
    identities.listen(0, '127.0.0.1');
    await once(identities, 'listening');
    for (const name of Object.keys(process.env)) if (name.startsWith('AZURE_')) delete process.env[name];
    Object.assign(process.env, {
      AZURE_STORAGE_ACCOUNT: account,
      AZURE_STORAGE_SERVICE_ENDPOINT: endpoint,
      EPOCHAL_LINK_ENDPOINT_AZURE: endpoint,
      // As a machine of Azure has them for its programs.
      IDENTITY_ENDPOINT: `http://127.0.0.1:${(identities.address() as AddressInfo).port}`,
      IDENTITY_HEADER: 'secret',
    });
  });
  afterAll(async () => {
    process.env = before;
    await azure?.stop();
    identities?.close();
    await rm(scratch, { recursive: true, force: true });
  });

  it('stores, and gives links that are good for one file, to be read, until they end', async () => {
    const store = openStore(`az://container/${randomUUID()}/store`);
    await store.prepare(false);
    await store.write('a b/file (1)', 'bytes of the file');
    await store.write('a b/other', 'of somebody else');
    const to = async (path: string, seconds = linkSeconds) =>
      (await store.link?.(path, { seconds, type: 'text/plain', disposition: 'attachment' })) ?? expect.fail('no link');
    const link = await to('a b/file (1)');
    expect(await (await fetch(link)).text()).toBe('bytes of the file');
    const { searchParams } = new URL(link);
    expect([searchParams.get('sp'), searchParams.get('spr')]).toEqual(['r', 'https']);
    for (const end of ['se', 'ske'])
      expect(Date.parse(searchParams.get(end) ?? '')).toBeLessThanOrEqual(Date.now() + 300_000);
    expect((await fetch(link.replace('file%20(1)', 'other'))).status).toBe(403);
    expect((await fetch(link, { method: 'DELETE' })).status).toBe(403);
    const short = await to('a b/file (1)', 1);
    await expect.poll(async () => (await fetch(short)).status).toBe(403);
  });
});

/** As Azure's servers take one that tests them: nobody checks who signed it. */
function identityToken() {
  const now = Math.floor(Date.now() / 1000);
  const tenant = randomUUID();
  const claims = {
    ...{ aud: 'https://storage.azure.com', iss: `https://sts.windows.net/${tenant}/`, tid: tenant, oid: randomUUID() },
    ...{ iat: now - 60, nbf: now - 60, exp: now + 3600 },
  };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.${randomBytes(32).toString('base64url')}`;
  return { access_token: token, expires_on: `${now + 3600}`, resource: claims.aud, token_type: 'Bearer' };
}
