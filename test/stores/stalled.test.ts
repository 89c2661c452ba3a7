/** What does not move any longer is given up: the mark of a store, and credentials that nobody hands out. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { askGcs } from '../../stores/gcs-client.ts';
import { patient } from '../../stores/retries.ts';
import { IdleSignal } from '../../stores/stalled.ts';
import { MemoryBucket, storeIn } from './memory-bucket.ts';
import { withVariables } from './servers/object-stage.ts';

it('a mark whose bytes stop coming is read again, and the store is unavailable where that stays so', async () => {
  const bucket = new MemoryBucket();
  await storeIn(bucket).prepare(false);
  let stalls = 1;
  const { sent } = bucket;
  bucket.sent = async function* (key, bytes) {
    yield bytes.subarray(0, 5);
    if (stalls-- > 0) await new Promise(() => undefined);
    yield* sent.call(bucket, key, bytes.subarray(5));
  };
  const retries = { ...patient, tries: 2, firstMs: 1, idleMs: 50 };
  expect(await storeIn(bucket, retries).identity()).toMatch(/^[0-9a-f-]{36}$/);
  stalls = Number.POSITIVE_INFINITY;
  await expect(storeIn(bucket, retries).identity()).rejects.toMatchObject({
    message: 'cannot read memory://bucket/store/.epochal-store: nothing came for 0.05 s',
    retryable: true,
  });
});

it('work that knows no signal is given up with it: of who asked, and where nothing moves', async () => {
  const never = new Promise<never>(() => undefined);
  const idle = new IdleSignal(undefined, 20);
  const error = await idle.race(never).catch((thrown: unknown) => thrown);
  expect(idle.asBroken(error)).toMatchObject({ trouble: 'broken', message: 'nothing moved for 0.02 s' });
  await expect(idle.race(never)).rejects.toThrow();
  const asked = new AbortController();
  const patiently = new IdleSignal(asked.signal);
  const given = patiently.race(never);
  asked.abort(new Error('not wanted any longer'));
  await expect(given).rejects.toThrow('not wanted any longer');
  patiently.end();
  expect(await new IdleSignal(undefined, 20).race(Promise.resolve('done'))).toBe('done');
});

it('credentials of Google that a login service does not hand out are given up with whoever asked', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-login-'));
  const asked = new AbortController();
  // It takes the question, and says nothing.
  const login = createServer(() => asked.abort(new Error('not wanted any longer'))).listen(0, '127.0.0.1');
  await once(login, 'listening');
  const [token, file] = [join(folder, 'token'), join(folder, 'credentials.json')];
  await writeFile(token, 'token');
  const identity = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `http://127.0.0.1:${(login.address() as AddressInfo).port}/token`,
    credential_source: { file: token },
  };
  await writeFile(file, JSON.stringify(identity));
  try {
    const asking = withVariables({ STORAGE_EMULATOR_HOST: undefined, GOOGLE_APPLICATION_CREDENTIALS: file }, () =>
      askGcs({ signal: asked.signal }, { method: 'GET', path: '/storage/v1/b/none/o/none' }),
    );
    await expect(asking).rejects.toThrow('not wanted any longer');
  } finally {
    login.closeAllConnections();
    login.close();
    await rm(folder, { recursive: true, force: true });
  }
});
