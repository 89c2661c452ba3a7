/** Stores that cannot be used, of every kind, on their real servers: each is one sentence, before anything starts, and no secret is in it. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AccountSASPermissions,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { azure, azureServer, hasAzure } from './azure-stage.ts';
import { errorOf } from './fault-checks.ts';
import { gcs, hasGcs } from './gcs-stage.ts';
import { withVariables } from './object-stage.ts';
import { hasS3, s3, s3Server } from './s3-stage.ts';
import { teamFiles } from './team-files-stage.ts';
import { teams } from './team-files-stand-in.ts';

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
  expect(message.length - address.length).toBeLessThan(320);
}

type Case = [name: string, change: () => Change | Promise<Change>, why: RegExp, at?: (address: string) => string];

/** Each is another way in which somebody's store cannot be one. */
let cases = 0;
function refuses(address: () => string, all: readonly Case[]): void {
  cases += all.length;
  it.each(all)('%s', async (_, change, why, at = (one: string) => one) => {
    const where = at(address());
    expectSentence(await said(where, await change()), where, why);
  });
}
const no = () => ({});

describe('in a folder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'epochal-bad-stores-'));
    await writeFile(join(folder, 'file'), 'no folder');
    await symlink(join(folder, 'nowhere'), join(folder, 'link'));
    await symlink('loop', join(folder, 'loop'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  refuses(
    () => folder,
    [
      ['a file', no, /a file is where a folder is needed/, (at) => `${at}/file`],
      ['below a file', no, /a file is where a folder is needed/, (at) => `${at}/file/store`],
      ['a name that is too long', no, /the name is too long/, (at) => `${at}/${'x'.repeat(300)}`],
      ['links in a circle', no, /symbolic links form a loop/, (at) => `${at}/loop`],
    ],
  );
});

describe.skipIf(!hasS3)('on S3', () => {
  if (!hasS3) return;
  s3.hooks();
  const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  const nowhere = {
    ...{ AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/nonexistent' },
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  };
  const { others } = s3Server();
  const as = (account: string) => () => ({ AWS_ACCESS_KEY_ID: account, AWS_SECRET_ACCESS_KEY: others.secretKey });
  /** As S3 says it of credentials that were lent for a while. */
  const expired = () => {
    const body =
      '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>';
    const headers = { 'content-type': 'application/xml' };
    s3.proxy.break(() => true, { kind: 'answer', status: 400, headers, body }, Number.POSITIVE_INFINITY);
    return {};
  };

  refuses(
    () => s3.address,
    [
      ['an unknown key', () => ({ AWS_ACCESS_KEY_ID: 'nobody' }), /the access key does not exist/],
      ['another secret', () => ({ AWS_SECRET_ACCESS_KEY: secret }), /the secret key is wrong/],
      ['an account without rights', as(others.nobody), /access denied; docs\/stores\.md lists the permissions/],
      ['an account that may only read', as(others.reader), /access denied; docs\/stores\.md lists the permissions/],
      [
        'credentials that have expired',
        expired,
        /the credentials have expired: renew the AWS credentials of this worker/,
      ],
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
      ['a bucket that is not there', no, /the bucket does not exist/, () => 's3://no-such-bucket-here/x'],
    ],
  );

  cases += 2;
  it('a clock that is an hour off', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    try {
      const message = await said(s3.address);
      expectSentence(message, s3.address, /the clock of this host is off/);
    } finally {
      vi.useRealTimers();
    }
  });

  it('the mark of another store', async () => {
    const identity = 'b7a1f2f0-0000-4000-8000-000000000000';
    const { message } = await errorOf(openStore(s3.address, identity).prepare(true));
    expect(message).toMatch(/is another one: its identity is \S+, and that of the store of this run is b7a1f2f0/);
  });
});

describe.skipIf(!hasAzure)('on Azure', () => {
  if (!hasAzure) return;
  azure.hooks();
  /** What its holder may do, for so many hours from now. */
  const signed = (permissions: string, hours: number) => () => {
    const { account, key } = azureServer();
    const begins = new Date(Date.now() - 7_200_000);
    const token = generateAccountSASQueryParameters(
      {
        ...{
          startsOn: begins,
          expiresOn: new Date(Date.now() + hours * 3_600_000),
          services: 'b',
          resourceTypes: 'co',
        },
        permissions: AccountSASPermissions.parse(permissions),
      },
      new StorageSharedKeyCredential(account, key),
    );
    return { AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: `${token}` };
  };
  refuses(
    () => azure.address,
    [
      ['no account', () => ({ AZURE_STORAGE_ACCOUNT: undefined }), /no Azure account is set/],
      ['another account', () => ({ AZURE_STORAGE_ACCOUNT: 'others' }), /access denied/],
      [
        'another key',
        () => ({ AZURE_STORAGE_KEY: Buffer.from(secret).toString('base64') }),
        /credentials|access denied/,
      ],
      ['a key that is none', () => ({ AZURE_STORAGE_KEY: secret }), /access denied/],
      [
        'a signature that is none',
        () => ({ AZURE_STORAGE_KEY: undefined, AZURE_STORAGE_SAS_TOKEN: `sig=${secret}` }),
        /access denied/,
      ],
      ['a signature that is for reading', signed('rl', 1), /access denied|permission/],
      ['a signature that has expired', signed('rwdlc', -1), /expired|access denied/],
      ['no connection string', () => ({ AZURE_STORAGE_CONNECTION_STRING: secret }), /is not a connection string/],
      ['nobody at its port', () => ({ AZURE_STORAGE_SERVICE_ENDPOINT: 'http://127.0.0.1:1/x' }), /nobody answers/],
      [
        'a web site',
        () => ({ AZURE_STORAGE_SERVICE_ENDPOINT: `${website()}/${azureServer().account}` }),
        /no whole answer came/,
      ],
      ['no address', () => ({ AZURE_STORAGE_SERVICE_ENDPOINT: 'x' }), /SERVICE_ENDPOINT of this worker is not valid/],
      ['a container that is not there', no, /the container does not exist/, () => 'az://no-such-container-here/x'],
    ],
  );
});

describe.skipIf(!hasGcs)('on Google Cloud Storage', () => {
  if (!hasGcs) return;
  gcs.hooks();
  const file = async (content: string): Promise<Change> => ({
    STORAGE_EMULATOR_HOST: undefined,
    GOOGLE_APPLICATION_CREDENTIALS: await gcs.local('credentials.json', content),
  });
  refuses(
    () => gcs.address,
    [
      ['nobody at its port', () => ({ STORAGE_EMULATOR_HOST: '127.0.0.1:1' }), /nobody answers at its endpoint/],
      ['a web site', () => ({ STORAGE_EMULATOR_HOST: website() }), /no whole answer came/],
      ['credentials that are no JSON', () => file(secret), /credentials of this worker are not valid/],
      ['credentials of no kind', () => file(`{"type":"${secret}"}`), /credentials/],
      [
        'a key that is none',
        () => file(`{"type":"service_account","client_email":"x","private_key":"${secret}"}`),
        /credentials/,
      ],
      ['a bucket that is not there', no, /the bucket does not exist/, () => 'gs://no-such-bucket-here/x'],
    ],
  );
});

describe('in Team Files', () => {
  teamFiles.hooks();
  refuses(
    () => teamFiles.address,
    [
      ["a token that is nobody's", () => ({ API_TOKEN: secret }), /renew API_TOKEN of this worker/],
      ['a token that is none', () => ({ API_TOKEN: 'two words' }), /API_TOKEN of this worker is not a token/],
      ['no token', () => ({ API_TOKEN: undefined }), /has no API_TOKEN beside it/],
      ['no server', () => ({ SERVER_ADDRESS: undefined }), /has no SERVER_ADDRESS beside it/],
      ['a token without rights', () => ({ TEAM_ID: `${teams.readOnly}` }), /access denied; docs\/stores\.md lists/],
      ['the team of others', () => ({ TEAM_ID: '999' }), /access denied; docs\/stores\.md lists/],
      ['a team that is no number', () => ({ TEAM_ID: 'vision' }), /TEAM_ID is not the number of a team/],
      ['no address', () => ({ SERVER_ADDRESS: 'ftp://x' }), /SERVER_ADDRESS of this worker is not the address/],
      ['nobody at its port', () => ({ SERVER_ADDRESS: 'http://127.0.0.1:1' }), /nobody answers at its endpoint/],
      ['a web site', () => ({ SERVER_ADDRESS: website() }), /is not the API of Supervisely/],
      ['a server that replaces nothing', () => ({ TEAM_ID: `${teams.renaming}` }), /does not replace what is there/],
    ],
  );
});

it('are forty different ones or more, where all servers are', () => {
  if (hasS3 && hasAzure && hasGcs) expect(cases).toBeGreaterThanOrEqual(40);
});
