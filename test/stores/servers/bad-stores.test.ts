/** Stores that cannot be used, of every kind, on their real servers: each is one sentence, before anything starts, and no secret is in it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { azure, azureServer, hasAzure } from './azure-stage.ts';
import { errorOf } from './fault-checks.ts';
import { gcs, hasGcs } from './gcs-stage.ts';
import { withVariables } from './object-stage.ts';
import { hasS3, s3 } from './s3-stage.ts';

type Change = Record<string, string | undefined>;
const secret = 'a-secret-of-this-test';

/** A server that speaks HTTP, and nothing that is stored. */
let web: Server;
beforeAll(async () => {
  web = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<html>Welcome</html>'));
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
});
afterAll(() => void web.close());
const website = () => `http://127.0.0.1:${(web.address() as AddressInfo).port}`;

/** What is said of a store before a run starts. */
const said = (address: string, change: Change = {}) =>
  withVariables(change, async () => (await errorOf(openStore(address).prepare(false))).message);

function expectSentence(message: string, address: string, why: RegExp): void {
  expect(message).toMatch(why);
  expect(message.startsWith(`cannot write in ${address}: `), message).toBe(true);
  expect(message).not.toContain('\n');
  expect(message).not.toContain(secret);
  expect(message.length).toBeLessThan(400);
}

describe.skipIf(!hasS3)('on S3', () => {
  if (hasS3) s3.hooks();
  const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  const nowhere = {
    ...{ AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/nonexistent' },
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  };

  it.each<[string, () => Change, RegExp]>([
    ['an unknown key', () => ({ AWS_ACCESS_KEY_ID: 'nobody' }), /the access key does not exist/],
    ['another secret', () => ({ AWS_SECRET_ACCESS_KEY: secret }), /the secret key is wrong/],
    ['no credentials', () => ({ ...none, ...nowhere }), /no AWS credentials were found/],
    ['half of them', () => ({ ...nowhere, AWS_SECRET_ACCESS_KEY: undefined }), /no AWS credentials were found/],
    ['another region', () => ({ AWS_REGION: 'eu-west-3' }), /another region/],
    ['nobody at its port', () => ({ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' }), /nobody answers at its endpoint/],
    [
      'https where there is http',
      () => ({ AWS_ENDPOINT_URL_S3: s3.proxy.endpoint.replace('http:', 'https:') }),
      /http: and https: may be mixed up \(EPROTO\)/,
    ],
    ['a web site', () => ({ AWS_ENDPOINT_URL_S3: website() }), /overwrites what is there/],
    ['no address', () => ({ AWS_ENDPOINT_URL_S3: 'not an address' }), /AWS_ENDPOINT_URL_S3\) is not valid/],
    ['no such host', () => ({ AWS_ENDPOINT_URL_S3: 'http://no-such-host.invalid' }), /host name of its endpoint/],
  ])('%s', async (_, change, why) => {
    const message = await said(s3.address, change());
    expectSentence(message, s3.address, why);
  });

  it('a clock that is an hour off', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    try {
      const message = await said(s3.address);
      expectSentence(message, s3.address, /the clock of this host is off/);
    } finally {
      vi.useRealTimers();
    }
  });

  it('a bucket that is not there, and the mark of another store', async () => {
    const address = 's3://no-such-bucket-here/x';
    expectSentence(await said(address), address, /the bucket does not exist/);
    const identity = 'b7a1f2f0-0000-4000-8000-000000000000';
    const { message } = await errorOf(openStore(s3.address, identity).prepare(true));
    expect(message).toMatch(/is another one: its identity is \S+, and that of the store of this run is b7a1f2f0/);
  });
});

describe.skipIf(!hasAzure)('on Azure', () => {
  if (hasAzure) azure.hooks();
  it.each<[string, () => Change, RegExp]>([
    ['no account', () => ({ AZURE_STORAGE_ACCOUNT: undefined }), /no Azure account is set/],
    ['another account', () => ({ AZURE_STORAGE_ACCOUNT: 'others' }), /access denied/],
    ['another key', () => ({ AZURE_STORAGE_KEY: Buffer.from(secret).toString('base64') }), /credentials|access denied/],
    ['a key that is none', () => ({ AZURE_STORAGE_KEY: secret }), /access denied/],
    [
      'a signature that is none',
      () => ({ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: `sig=${secret}` }),
      /access denied/,
    ],
    ['no connection string', () => ({ AZURE_STORAGE_CONNECTION_STRING: secret }), /is not a connection string/],
    ['nobody at its port', () => ({ AZURE_STORAGE_SERVICE_ENDPOINT: 'http://127.0.0.1:1/x' }), /nobody answers/],
    [
      'a web site',
      () => ({ AZURE_STORAGE_SERVICE_ENDPOINT: `${website()}/${azureServer().account}` }),
      /no whole answer came/,
    ],
    ['no address', () => ({ AZURE_STORAGE_SERVICE_ENDPOINT: 'x' }), /SERVICE_ENDPOINT of this worker is not valid/],
  ])('%s', async (_, change, why) => {
    const message = await said(azure.address, change());
    expectSentence(message, azure.address, why);
  });

  it('a container that is not there', async () => {
    const address = 'az://no-such-container-here/x';
    expectSentence(await said(address), address, /the container does not exist/);
  });
});

describe.skipIf(!hasGcs)('on Google Cloud Storage', () => {
  if (hasGcs) gcs.hooks();
  const file = async (content: string): Promise<Change> => ({
    STORAGE_EMULATOR_HOST: undefined,
    GOOGLE_APPLICATION_CREDENTIALS: await gcs.local('credentials.json', content),
  });
  it.each<[string, () => Change | Promise<Change>, RegExp]>([
    ['nobody at its port', () => ({ STORAGE_EMULATOR_HOST: '127.0.0.1:1' }), /nobody answers at its endpoint/],
    ['a web site', () => ({ STORAGE_EMULATOR_HOST: website() }), /no whole answer came/],
    ['credentials that are no JSON', () => file(secret), /credentials of this worker are not valid/],
    ['credentials of no kind', () => file(`{"type":"${secret}"}`), /credentials/],
    [
      'a key that is none',
      () => file(`{"type":"service_account","client_email":"x","private_key":"${secret}"}`),
      /credentials/,
    ],
  ])('%s', async (_, change, why) => {
    const message = await said(gcs.address, await change());
    expectSentence(message, gcs.address, why);
  });

  it('a bucket that is not there', async () => {
    const address = 'gs://no-such-bucket-here/x';
    expectSentence(await said(address), address, /the bucket does not exist/);
  });
});
