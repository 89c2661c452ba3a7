/** Azure that throttles, breaks off, damages and refuses: waited for, or said in a sentence; never half a file, never another one's. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  generateAccountSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { AzureBucket } from '../../../stores/azure-bucket.ts';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import * as azure from './azure-stage.ts';
import { errorOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import { sha256 } from './store-contract.ts';

/** Three blocks of a store with small ones. */
const large = 2_500_000;
const part = 16 << 20;
const isPut = ({ method }: Seen) => method === 'PUT';
const isPart = ({ method, url }: Seen) => method === 'PUT' && /comp=block(&|$)/.test(url);
const isCompleted = ({ method, url }: Seen) => method === 'PUT' && /comp=blocklist(&|$)/.test(url);
const isGet = ({ method, url }: Seen) => method === 'GET' && url.includes('/a/file');
const refusal = (status: number, code: string, headers: Record<string, string> = {}): Fault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/xml', 'x-ms-error-code': code, ...headers },
  body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
});
const uploadsLeft = async () => {
  const left: string[] = [];
  for await (const { key } of new AzureBucket(azure.testContainer).uploads(`${azure.prefix()}/`, {})) left.push(key);
  return left;
};
/** `work` in a process with these variables in the place of its own. */
async function as<T>(change: Record<string, string | undefined>, work: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  for (const [name, value] of Object.entries(change))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  try {
    return await work();
  } finally {
    process.env = before;
  }
}

describe.skipIf(!azure.hasAzure)('Azure', () => {
  if (azure.hasAzure) azure.onAzure();

  const published = async (bytes: Uint8Array, waits: string[] = []) => {
    const file = await azure.local('file', bytes);
    const store = azure.inSmallParts({ retries: { ...patient, firstMs: 20 } });
    const found = await store.publish(file, 'a/file', { onWait: (why) => waits.push(why) });
    expect(azure.proxy.pending).toBe(0);
    expect(found).toEqual({ path: 'a/file', size: bytes.length, sha256: sha256(bytes) });
    expect(sha256((await openStore(azure.address).read('a/file')) ?? '')).toBe(found.sha256);
    return found;
  };

  it('gets each byte once, and gives none back, when a file is published, verified, and published again', async () => {
    const size = 2 * part + 1000;
    const file = await azure.local('file', randomBytes(size));
    await azure.store.publish(file, 'b/file');
    expect(azure.proxy.seen.filter(isPart)).toHaveLength(3);
    const lists = 10_000;
    expect(azure.proxy.seen.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(size + lists);
    expect(azure.proxy.seen.reduce((sum, { received }) => sum + received, 0)).toBeLessThan(lists);
    azure.proxy.seen.length = 0;
    await openStore(azure.address).verify('b/file');
    await openStore(azure.address).publish(file, 'b/file');
    expect(azure.proxy.seen.filter(({ url }) => url.includes('/b/file')).map(({ method }) => method)).toEqual([
      'HEAD',
      'HEAD',
    ]);
  });

  it('is given the time that it asks for when it throttles, and who waits says why', async () => {
    azure.proxy.break(isPut, refusal(503, 'ServerBusy', { 'retry-after': '2' }));
    azure.proxy.break(isPut, refusal(500, 'OperationTimedOut', { 'x-ms-retry-after-ms': '100' }));
    const [waits, began] = [[] as string[], performance.now()];
    await published(randomBytes(1000), waits);
    expect(performance.now() - began).toBeGreaterThan(2000);
    expect(waits).toEqual([
      `cannot write ${azure.address}/a/file: the server asks for fewer requests (ServerBusy); trying again in 2 s`,
      expect.stringContaining('the server took too long (OperationTimedOut); trying again in 1 s'),
    ]);
  });

  it('that cuts a block off gets that block again, and no other', async () => {
    let blocks = 0;
    azure.proxy.break((seen) => isPart(seen) && ++blocks === 2, { kind: 'cutRequest', after: 300_000 });
    await published(randomBytes(large));
    expect(azure.proxy.seen.filter(isPart)).toHaveLength(4);
  });

  it.each([
    ['a file', isPut, 1000, 0],
    ['a block', isPart, large, 4],
    ['the end of an upload', isCompleted, large, 3],
  ])('whose answer about %s is lost is asked, and what was done is not done again', async (_, when, size, blocks) => {
    azure.proxy.break(when, { kind: 'loseAnswer' });
    await published(randomBytes(size));
    expect(azure.proxy.seen.filter(isPart)).toHaveLength(blocks);
    expect(await uploadsLeft()).toEqual([]);
  });

  it('whose answer about a claim is lost: the claim is known for his own, and that of another is not', async () => {
    azure.proxy.break(isPut, { kind: 'loseAnswer' });
    expect(await azure.store.create('a/claim', 'mine')).toBe(true);
    azure.proxy.break(isPut, { kind: 'cutRequest', after: 0 });
    expect(await azure.store.create('a/claim', 'another')).toBe(false);
    expect(Buffer.from((await azure.store.read('a/claim')) ?? []).toString()).toBe('mine');
  });

  it.each([1000, large])(
    'refuses what arrives damaged, of %i bytes: it is sent again, and never there',
    async (size) => {
      const isBody = size === large ? isPart : isPut;
      azure.proxy.break(isBody, { kind: 'corruptRequest' });
      await published(randomBytes(size));
      azure.proxy.break(isBody, { kind: 'corruptRequest' }, Number.POSITIVE_INFINITY);
      const error = await errorOf(azure.impatient().publish(await azure.local('file', randomBytes(size)), 'b/file'));
      expect(error).toMatchObject({
        message: expect.stringContaining('the bytes that arrived were others'),
        retryable: true,
      });
      expect(await azure.store.verify('b/file')).toBeNull();
    },
  );

  it('that says nothing of what it has checked is read back', async () => {
    azure.proxy.break(isPut, { kind: 'dropAnswerHeaders', names: /^content-md5/ }, Number.POSITIVE_INFINITY);
    await azure.store.publish(await azure.local('file', randomBytes(1000)), 'b/file');
    expect(azure.proxy.seen.filter(({ method, url }) => method === 'GET' && url.includes('/b/file'))).toHaveLength(1);
  });

  it('that breaks off while it is read is read on from there, and what is short or damaged is read again', async () => {
    const { size, sha256: digest } = await published(randomBytes(large));
    azure.proxy.heal();
    azure.proxy.break(isGet, { kind: 'cutAnswer', after: 2_000_000 });
    azure.proxy.break(isGet, { kind: 'cutAnswer', after: 1000 });
    await azure.store.fetch('a/file', join(azure.folder, 'back'), { size, sha256: digest });
    expect(sha256(await readFile(join(azure.folder, 'back')))).toBe(digest);
    const ranges = azure.proxy.seen.filter(isGet).map(({ headers }) => headers['x-ms-range'] ?? headers.range);
    expect(ranges).toHaveLength(3);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d{5,6}-2499999$/);

    const small = await published(randomBytes(100_000));
    for (const fault of [{ kind: 'shortAnswer', bytes: 60_000 }, { kind: 'corruptAnswer' }] as const) {
      azure.proxy.break(isGet, fault);
      const back = join(azure.folder, fault.kind);
      await azure.store.fetch('a/file', back, small);
      expect(sha256(await readFile(back))).toBe(small.sha256);
      azure.proxy.break(isGet, fault);
      expect(sha256((await azure.store.read('a/file')) ?? '')).toBe(small.sha256);
    }
    expect(azure.proxy.pending).toBe(0);
  });

  it('lists files over pages, each once, where one of them breaks off', async () => {
    const names = Array.from({ length: 11 }, (_, index) => `many/${String(index).padStart(2, '0')}`);
    for (const name of names) await azure.store.write(name, 'x');
    azure.proxy.break(({ url }) => url.includes('marker='), refusal(503, 'ServerBusy'));
    const paged = azure.inSmallParts({ pageSize: 3, retries: { ...patient, firstMs: 5 } });
    const found: string[] = [];
    for await (const { path } of paged.list('many')) found.push(path);
    expect(found).toEqual(names);
    expect(azure.proxy.pending).toBe(0);
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
      (await as(change, () => errorOf(azure.impatient().checkWritable(false)))).message;
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
    const { account, key } = azure.server();
    const endpoint = `${azure.proxy.endpoint}/${account}`;
    const without = { AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_ACCOUNT: undefined };
    const connection = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${endpoint};`;
    await as({ ...without, AZURE_STORAGE_CONNECTION_STRING: connection }, async () => {
      expect(await openStore(azure.address).create('a/claim', 'x')).toBe(true);
    });
    const token = (hours: number) =>
      generateAccountSASQueryParameters(
        {
          startsOn: new Date(Date.now() - 7_200_000),
          expiresOn: new Date(Date.now() + hours * 3_600_000),
          permissions: AccountSASPermissions.parse('rwdlc'),
          protocol: SASProtocol.HttpsAndHttp,
          resourceTypes: AccountSASResourceTypes.parse('sco').toString(),
          services: AccountSASServices.parse('b').toString(),
        },
        new StorageSharedKeyCredential(account, key),
      ).toString();
    await as({ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: token(1) }, async () => {
      await openStore(azure.address).checkWritable(true);
      expect(await openStore(azure.address).create('a/claim', 'y')).toBe(false);
    });
    const expired = token(-1);
    await as({ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: expired }, async () => {
      const { message } = await errorOf(azure.impatient().read('a/claim'));
      expect(message).toMatch(/renew the Azure credentials of this worker|access denied/);
      expect(message).not.toContain(/sig=([^&]+)/.exec(expired)?.[1] ?? '');
    });
  });

  it('without its mark is unavailable: nothing there is not told of it', async () => {
    await azure.store.remove('.epochal-store');
    for (const work of [
      () => openStore(azure.address).verify('a/file'),
      () => openStore(azure.address).write('a/file', 'x'),
    ])
      expect(await errorOf(work())).toMatchObject({
        message: expect.stringContaining(`the store ${azure.address} is unavailable: it has no .epochal-store`),
        retryable: true,
      });
  });

  it('has what a process that was killed had uploaded: the next one sends the rest, and tidy and remove leave nothing', async () => {
    const size = 3 * part;
    const bytes = randomBytes(size);
    const file = await azure.local('file', bytes);
    // The last blocks come late: some are there when the process ends.
    let blocks = 0;
    azure.proxy.break((seen) => isPart(seen) && ++blocks > 2, { kind: 'delay', ms: 600_000 }, Number.POSITIVE_INFINITY);
    const program = fileURLToPath(new URL('../publish-a-file.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', program, azure.address, file, 'a/file']);
    await expect
      .poll(() => azure.proxy.seen.filter((one) => isPart(one) && one.status === 201), { timeout: 30_000 })
      .toHaveLength(2);
    child.kill('SIGKILL');
    await once(child, 'close');
    azure.proxy.heal();
    expect(await azure.store.verify('a/file')).toBeNull();
    await azure.store.tidy('a');
    expect(await uploadsLeft()).toHaveLength(1);
    expect(await azure.store.publish(file, 'a/file')).toMatchObject({ sha256: sha256(bytes) });
    expect(azure.proxy.seen.filter(isPart).map(({ sent }) => sent)).toEqual([part]);
    expect(await uploadsLeft()).toEqual([]);
    expect(sha256((await azure.store.read('a/file')) ?? '')).toBe(sha256(bytes));

    // Of another file of the same size under that name nothing is taken up that is not its own.
    const [bucket, key] = [new AzureBucket(azure.testContainer), `${azure.prefix()}/b/file`];
    for (const clear of ['tidy', 'remove', 'publish'] as const) {
      const upload = await bucket.beginUpload(key, {});
      const others = randomBytes(part);
      await bucket.putPart(key, upload, 1, others, Buffer.from(sha256(others), 'hex'), {});
      expect(await uploadsLeft(), clear).toEqual([key]);
      if (clear === 'tidy') await azure.impatient({ staleMs: -60_000 }).tidy('b');
      else if (clear === 'remove') await azure.store.remove('b/file');
      else {
        const wanted = sha256(bytes);
        expect(await azure.store.publish(file, 'b/file')).toMatchObject({ sha256: wanted });
        expect(sha256((await azure.store.read('b/file')) ?? '')).toBe(wanted);
      }
      expect(await uploadsLeft(), clear).toEqual([]);
      // What it takes to drop blocks is never seen.
      const found: string[] = [];
      for await (const { path } of azure.store.list('b')) found.push(path);
      expect(found, clear).toEqual(clear === 'publish' ? ['b/file'] : []);
    }
  });

  it('whose blocks are dropped meanwhile gets the file all the same, and what is dropped with a blob there leaves that', async () => {
    azure.proxy.break(isCompleted, refusal(400, 'InvalidBlockList'));
    const { sha256: digest } = await published(randomBytes(large));
    const [bucket, key] = [new AzureBucket(azure.testContainer), `${azure.prefix()}/a/file`];
    await bucket.putPart(key, await bucket.beginUpload(key, {}), 1, randomBytes(9), randomBytes(32), {});
    await bucket.abortUpload(key, '', {});
    expect(sha256((await azure.store.read('a/file')) ?? '')).toBe(digest);
  });

  it('shows nothing of an upload that was given up by a process that was killed just then', async () => {
    const [bucket, key] = [new AzureBucket(azure.testContainer), `${azure.prefix()}/a/file`];
    await bucket.putPart(key, await bucket.beginUpload(key, {}), 1, randomBytes(9), randomBytes(32), {});
    azure.proxy.break(({ method }) => method === 'DELETE', refusal(403, 'AuthorizationFailure'));
    await expect(bucket.abortUpload(key, '', {})).rejects.toThrow('access denied');
    expect(await azure.store.verify('a/file')).toBeNull();
    expect(await azure.store.read('a/file')).toBeNull();
    const found: string[] = [];
    for await (const { path } of azure.store.list('a')) found.push(path);
    expect(found).toEqual([]);
    await azure.impatient({ staleMs: -60_000 }).tidy('a');
    expect(await uploadsLeft()).toEqual([]);
    await published(randomBytes(1000));
  });
});
