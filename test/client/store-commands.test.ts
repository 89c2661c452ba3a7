/** `epochal store`: stores from the command line. No worker is needed. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, inject, it } from 'vitest';
import { connect } from '../../client/connect.ts';
import { openStore } from '../../stores/open-store.ts';
import { landRun } from '../stores/landed-run.ts';
import { folder, inStore, pathsIn, store } from '../stores/store-stage.ts';
import { inProcess, newRun } from '../support/command-line.ts';

const epochal = (...args: string[]) => inProcess('store', ...args);
const files = { 'metrics.jsonl': '{"epoch":1}\n', 'artifacts/model.txt': 'a model' };
let address: string;
beforeEach(() => {
  address = store.address;
});

it('ls lists runs, those without a receipt, too', async () => {
  await landRun(store, 'p/run', { files, checkpoints: { 1: randomBytes(1000) } });
  await store.write('experiments/p/open/life.json', '{}');
  await store.write('experiments/q/bad/receipt.json', '{');
  const { code, stdout, stderr } = await epochal('ls', address);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^run +outcome +ended +checkpoints +files +size$/m);
  expect(stdout).toMatch(/^p\/run +completed +2026-01-01 \S+ +1 +6 +\d\.\d KiB$/m);
  expect(stdout).toMatch(/^p\/open +no receipt +1 +2 bytes$/m);
  expect(stdout).toMatch(/^q\/bad +unreadable receipt +1 +1 byte$/m);
  const chosen = await epochal('ls', `file://${address}`, 'p/run', '--json');
  expect(JSON.parse(chosen.stdout)).toMatchObject([{ run: 'p/run', outcome: 'completed', checkpoints: 1, files: 6 }]);
});

it('verify tells of each run whether it is whole, and fails where one is not', async () => {
  await landRun(store, 'p/run', { files });
  await store.write('experiments/p/open/life.json', '{}');
  expect(await epochal('verify', address)).toEqual({
    code: 0,
    stdout: 'p/open: it has no receipt: it is not over, or nobody has published it\np/run: whole, 2 files, 19 bytes\n',
    stderr: '2 runs: 1 whole, 0 damaged, 1 without a receipt\n',
  });
  await writeFile(inStore('experiments/p/run/metrics.jsonl'), '{"epoch":2}\n');
  const damaged = await epochal('verify', address, 'p/run', '--read');
  expect(damaged).toMatchObject({ code: 1, stderr: '1 run: 0 whole, 1 damaged, 0 without a receipt\n' });
  expect(damaged.stdout).toMatch(/^p\/run: metrics\.jsonl is 12 bytes with sha256 \w+…, and the receipt says 12 bytes/);
  const [told] = JSON.parse((await epochal('verify', address, 'p/run', '--json')).stdout);
  expect(told).toMatchObject({ run: 'p/run', receipt: 'landed', problems: [expect.stringContaining('metrics.jsonl')] });
});

it('copy makes the other store, copies what is not there, and tells what it could not copy', async () => {
  const to = join(folder, 'other');
  await landRun(store, 'p/run', { files });
  await store.write('experiments/p/open/life.json', '{}');
  const scratchFolders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('epochal-copy-'));
  const before = await scratchFolders();
  const first = await epochal('copy', address, to);
  expect(first).toMatchObject({ code: 1, stderr: '' });
  expect(first.stdout).toBe(
    'p/open: not copied: it has no receipt: it is not over, or nobody has published it\np/run: copied 2 files, 19 bytes\n',
  );
  expect(await epochal('copy', address, to, 'p/run')).toEqual({
    code: 0,
    stdout: 'p/run: copied 0 files, of 2, 0 bytes\n',
    stderr: '',
  });
  expect(await epochal('verify', to, '--read')).toMatchObject({ code: 0 });
  expect(await pathsIn(openStore(to), 'experiments')).toEqual(await pathsIn(store, 'experiments/p/run'));
  expect((await scratchFolders()).filter((name) => !before.includes(name))).toEqual([]);
});

it('gc shows what no receipt names, asks, and leaves everything of lives that are not known to be over', async () => {
  const { client, close } = await connect({ TEMPORAL_ADDRESS: inject('temporalAddress') });
  const ids = ['over', 'open', 'salvaged', 'foreign', 'given-up'].map(newRun);
  const [over = '', open = '', salvaged = '', foreign = '', givenUp = ''] = ids;
  const started = [open, `salvage-${salvaged}`];
  try {
    const { namespace } = client.options;
    const { namespaceInfo } = await client.workflowService.describeNamespace({ namespace });
    for (const run of ids) {
      const life = { namespace: run === foreign ? 'of-another-server' : (namespaceInfo?.id ?? ''), chain: ['one'] };
      await landRun(store, `p/${run}`, { files, receipt: { life, publishedBytes: run === givenUp ? 0 : 19 } });
      await store.write(`experiments/p/${run}/life.json`, JSON.stringify({ run, life }));
      await store.write(`experiments/p/${run}/artifacts/stray`, 'of nobody');
    }
    for (const workflowId of started)
      await client.workflow.start('nobodyServesThis', { workflowId, taskQueue: 'nobody' });
    const strays = () => ids.filter((run) => existsSync(inStore(`experiments/p/${run}/artifacts/stray`)));
    const asked = await epochal('gc', address);
    expect(asked).toMatchObject({ code: 2, stdout: '' });
    const lines = asked.stderr.split('\n');
    for (const line of [
      `p/${open} is left: the run is not over`,
      `p/${salvaged} is left: what is left of it is being salvaged`,
      `p/${givenUp} is left: not all of it was published, and may still be`,
      `p/${over}: no receipt names`,
      '  artifacts/stray, 9 bytes',
      'epochal: store gc needs --yes where nobody can be asked: nothing was removed',
    ])
      expect(lines).toContain(line);
    expect(asked.stderr).toMatch(new RegExp(`^p/${foreign} is left: it belongs to another Temporal namespace`, 'm'));
    expect(strays()).toEqual(ids);
    const done = await epochal('gc', address, '--yes', '--json');
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout).removed).toEqual([{ run: `p/${over}`, files: ['artifacts/stray'] }]);
    expect(strays()).toEqual(ids.filter((run) => run !== over));
    expect(await epochal('verify', address, `p/${over}`)).toMatchObject({ code: 0 });
    for (const workflowId of started.splice(0)) await client.workflow.getHandle(workflowId).terminate();
    expect((await epochal('gc', address, 'p', '--yes')).stdout).toBe('removed 2 files\n');
    expect(strays()).toEqual([foreign, givenUp]);
    expect((await epochal('gc', address, '-y')).stdout).toBe('there is nothing to remove\n');
  } finally {
    for (const workflowId of started)
      await client.workflow
        .getHandle(workflowId)
        .terminate()
        .catch(() => undefined);
    await close();
  }
});

it('bad input is one sentence, and nothing is made', async () => {
  const s3 = 'an S3 store is s3://BUCKET/PREFIX';
  const [file, nothing] = [join(folder, 'file'), join(folder, 'nothing')];
  await writeFile(file, '');
  await mkdir(join(folder, 'empty'));
  await landRun(store, 'p/run', { files });
  const calls: [string[], number, string | RegExp][] = [
    [[], 2, /^store needs a command: ls, verify, copy or gc; /],
    [['ls'], 2, 'an argument is missing; "epochal store --help" tells more'],
    [['ls', 'results'], 2, /^store is "results": it is not an absolute path; a store is /],
    [['ls', 'ftp://results/x'], 2, /^store is "ftp:\/\/results\/x": there is no store for "ftp:" addresses; /],
    [['verify', 's3://results'], 2, /^store is "s3:\/\/results": it names no prefix/],
    [['verify', 's3:results/x'], 2, `store is "s3:results/x": it does not begin with s3://; ${s3}`],
    [['gc', 's3://UPPER/x'], 2, /^store is "s3:\/\/UPPER\/x": its bucket name is not one of S3/],
    [['ls', 's3://key:secret@results/x'], 2, /^store: it has credentials in it, [^@]*$/],
    [['ls', 'az://results/x?sv=1&sig=secret'], 2, /^store: its prefix has a "\?" [^&]*$/],
    [['copy', address, '../other'], 2, /^to is "\.\.\/other": it is not an absolute path/],
    [['copy', address, address], 2, `to is "${address}": it is the same store as from`],
    [['copy', address, `${address}/`], 2, `to is "${address}/": it is the same store as from`],
    [['ls', address, '../p'], 2, /^run is "\.\.\/p": must be PROJECT or PROJECT\/RUN/],
    [['ls', address, 'p/run/x'], 2, /^run is "p\/run\/x": must be PROJECT or PROJECT\/RUN/],
    [['ls', address, 'p/..'], 2, /^run is "p\/\.\.": must be PROJECT or PROJECT\/RUN/],
    [['verify', address, 'p/other'], 2, `run is "p/other": ${address} has no such run`],
    [['copy', address, nothing, 'other'], 2, `run is "other": ${address} has no such project`],
    [['ls', nothing], 1, /nothing is unavailable: it has no \.epochal-store/],
    [['verify', join(folder, 'empty')], 1, /empty is unavailable: it has no \.epochal-store/],
    [['ls', file], 1, /file is unavailable: it has no \.epochal-store/],
    [['copy', nothing, join(folder, 'made')], 1, /nothing is unavailable: it has no \.epochal-store/],
    [['copy', address, join(nothing, 'deep')], 1, /^cannot make \S+: \S+ does not exist$/],
    [['copy', address, file], 1, /^cannot write in .*file: /],
  ];
  for (const [args, code, told] of calls) {
    const ended = await epochal(...args);
    expect(ended, args.join(' ')).toMatchObject({ code, stdout: '' });
    const [line = '', rest] = ended.stderr.split('\n');
    expect(rest, ended.stderr).toBe('');
    const message = line.replace(/^epochal: /, '');
    if (typeof told === 'string') expect(message).toBe(told);
    else expect(message).toMatch(told);
  }
  expect(existsSync(join(folder, 'made'))).toBe(false);
  expect(existsSync(nothing)).toBe(false);
  await rm(file);
});
