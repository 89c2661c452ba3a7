/** Servers of Team Files that refuse, that are others than they should be, or that have their own ways. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import { errorOf } from './fault-checks.ts';
import type { Fault, Seen } from './fault-proxy.ts';
import { withVariables } from './object-stage.ts';
import { sha256 } from './store-contract.ts';
import { ofTeam, refusal, teamFiles as stage } from './team-files-stage.ts';
import { teams } from './team-files-stand-in.ts';

const isUpload = ({ url }: Seen) => url.includes('file-storage.upload');
const isDownload = ({ url }: Seen) => url.includes('file-storage.download');
const again = Number.POSITIVE_INFINITY;
/** Sent in one request that is not in memory. */
const large = 2_500_000;
const quick = { ...patient, firstMs: 5 };

describe('a server of Team Files', () => {
  stage.hooks();

  it.each([
    [
      401,
      'Unauthorized',
      'the server does not accept the token, or it has expired: renew API_TOKEN of this worker (HTTP 401)',
    ],
    [
      400,
      'Api token is invalid',
      'the server does not accept the token, or it has expired: renew API_TOKEN of this worker (HTTP 400)',
    ],
    [403, 'no', 'access denied; docs/stores.md lists what the user of the token needs (HTTP 403)'],
    [402, 'no', "the server's licence or plan does not cover it (HTTP 402)"],
    [507, 'no', 'no space is left on the server (HTTP 507)'],
    [400, 'Team\nis archived', 'the server refused it: Team is archived (HTTP 400)'],
  ])('that says %i %j is told in a sentence, at once, and may be asked again later', async (status, message, why) => {
    stage.proxy.break(() => true, refusal(status, message), again);
    expect(await errorOf(stage.store.checkWritable(false))).toMatchObject({
      message: `cannot write in ${stage.address}: ${why}`,
      retryable: true,
    });
    expect(stage.proxy.seen).toHaveLength(1);
  });

  it('where another server answers, or the server elsewhere: what to set', async () => {
    const page: Fault = { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' };
    stage.proxy.break(() => true, page, 1);
    const noApi = 'what answers at SERVER_ADDRESS is not the API of Supervisely';
    expect((await errorOf(stage.store.checkWritable(false))).message).toContain(noApi);
    stage.proxy.break(() => true, { ...page, status: 404 }, 1);
    expect((await errorOf(stage.store.checkWritable(false))).message).toContain(noApi);
    const location = 'https://supervisely.example.org/public/api/v3/file-storage.upload?teamId=7&path=x';
    stage.proxy.break(() => true, { kind: 'answer', status: 301, headers: { location } }, 1);
    expect((await errorOf(stage.store.checkWritable(false))).message).toContain(
      'SERVER_ADDRESS is not where the server answers: set it to https://supervisely.example.org (HTTP 301)',
    );
  });

  it('that refuses a large file before it has all of it: what it says, and no broken connection', async () => {
    const server = createServer((_, response) => {
      response.writeHead(413, { connection: 'close' }).end('<html>');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await withVariables({ SERVER_ADDRESS: `127.0.0.1:${port}` }, async () => {
      const read = async function* () {
        for (;;) yield Buffer.alloc(1 << 20);
      };
      await expect(stage.bucket().putFile('a/file', { size: 1 << 30, read }, {})).rejects.toMatchObject({
        trouble: 'never',
        message: 'the file is too large for the server (HTTP 413)',
      });
    });
    server.close();
  });

  it('by another port, with a token that expires and is renewed: no restart, and nothing of it is told', async () => {
    const refused = async (change: Record<string, string | undefined>) =>
      (await withVariables(change, () => errorOf(stage.impatient().checkWritable(false)))).message;
    expect(await refused({ SERVER_ADDRESS: 'http://127.0.0.1:1' })).toContain('nobody answers at its endpoint');
    const plain = stage.proxy.endpoint.replace('http:', 'https:');
    expect(await refused({ SERVER_ADDRESS: plain })).toContain('the server does not speak https');
    expect(await refused({ TEAM_ID: '999' })).toContain('access denied');
    const store = stage.impatient();
    await store.checkWritable(false);
    const said = await withVariables({ API_TOKEN: 'topsecret' }, () => errorOf(store.checkWritable(false)));
    expect(said.message).toContain('renew API_TOKEN of this worker');
    expect(JSON.stringify([said, said.cause])).not.toContain('topsecret');
    await store.checkWritable(false);
  });

  it('that tells no hash is read back, each copy', async () => {
    await ofTeam(teams.hashless, async () => {
      const bytes = randomBytes(large);
      const store = stage.inSmallParts();
      const published = await store.publish(await stage.local('file', bytes), 'a/file');
      expect(published.sha256).toBe(sha256(bytes));
      expect(store.proofOf('a/file')).toBe('readBack');
      expect(await store.verify('a/file')).toEqual(published);
      stage.proxy.break(isDownload, { kind: 'cutAnswer', after: 1_000_000 });
      await store.fetch('a/file', join(stage.folder, 'back'), published);
      expect(sha256(await readFile(join(stage.folder, 'back')))).toBe(published.sha256);
      stage.proxy.break(isUpload, { kind: 'corruptRequest', at: 900 });
      const error = await errorOf(store.publish(await stage.local('other', randomBytes(5000)), 'b/file'));
      expect(error).toMatchObject({ message: expect.stringContaining('it reads back as'), retryable: true });
    });
  });

  it('that sends all of a file, whatever part is asked for', async () => {
    await ofTeam(teams.rangeless, async () => {
      const store = stage.inSmallParts({ retries: quick });
      await store.write('a/letters', 'abcdefghij');
      const part = async (offset: number, length: number) => {
        const found = await store.readPart('a/letters', offset, length);
        return found && `${Buffer.from(found.bytes).toString()} of ${found.size}`;
      };
      expect(await part(0, 3)).toBe('abc of 10');
      expect(await part(4, 2)).toBe('ef of 10');
      expect(await part(8, 100)).toBe('ij of 10');
      expect(await part(99, 5)).toBe(' of 10');
      const bytes = randomBytes(large);
      const published = await store.publish(await stage.local('file', bytes), 'a/file');
      stage.proxy.break(isDownload, { kind: 'cutAnswer', after: 2_000_000 });
      await store.fetch('a/file', join(stage.folder, 'back'), published);
      expect(sha256(await readFile(join(stage.folder, 'back')))).toBe(published.sha256);
    });
  });

  it('that does not replace files is no place for a store, and one without pages is', async () => {
    const renaming = withVariables({ TEAM_ID: `${teams.renaming}` }, () => errorOf(stage.store.checkWritable(false)));
    expect((await renaming).message).toMatch(
      /the server does not replace what is there, and has it as .*\/store\/\.epochal-probe-[0-9a-f-]+_000$/,
    );
    await ofTeam(teams.old, async () => {
      for (const path of ['a/2', 'a/10', 'a/b/3']) await stage.store.write(path, path);
      expect(await stage.paths('a')).toEqual(['a/10', 'a/2', 'a/b/3']);
      expect(await stage.paths('b')).toEqual([]);
      expect(await stage.store.create('a/claim', 'x')).toBe(true);
      await stage.store.remove('a');
      expect(await stage.paths('a')).toEqual([]);
    });
  });

  it('of another team is another store', async () => {
    const identity = (await stage.store.identity()) ?? '';
    await ofTeam(teams.hashless, async () => {
      expect((await errorOf(openStore(stage.address, identity).read('a/file'))).message).toContain('is another one');
    });
  });
});
