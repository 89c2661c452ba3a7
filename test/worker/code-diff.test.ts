/** What is published of the changes that a session trains with: whole, within its bound, and without secrets. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { codeText } from '../../contracts/code-text.ts';
import { codeDiffFile, mostOfDiff } from '../../worker/code-diff.ts';
import { publishedFiles } from '../../worker/published-files.ts';
import { RunFolders } from '../../worker/run-folders.ts';
import { codeOf, findCode, keepCode } from '../../worker/trainer-code.ts';

let data: string;
let top: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'code-diff-'));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  top = join(data, 'repository');
  await mkdir(top);
  git('init', '-q', '-b', 'main');
});

/** Without the configuration of whoever runs the tests. */
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', top, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    env: { PATH: process.env.PATH, HOME: data },
  });

const files = new Set<string>();
async function write(all: Record<string, string | Buffer>): Promise<void> {
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(top, path)), { recursive: true });
    await writeFile(join(top, path), content);
    files.add(path);
  }
}

/** Each time another path for the same file, as what was asked a moment ago is remembered. */
let times = 0;
function program(): string {
  times += 1;
  return `${top}${'/.'.repeat(times)}/trainers/mine.py`;
}

const commit = () => {
  git('add', '-A');
  git('commit', '-q', '-m', 'all');
};

it('has the changes of all tracked files, as git can make them again', async () => {
  await write({
    'trainers/mine.py': 'print()\n',
    'windows.txt': 'one\r\ntwo\r\n',
    'no end': 'one',
    'gone.txt': 'gone\n',
    'run.sh': 'true\n',
    'latin.txt': Buffer.from('caf\xe9\n', 'latin1'),
    'image.bin': Buffer.from([0, 1]),
    'large.csv': 'a'.repeat(mostOfDiff + 1),
    'private.cfg': 'one\n',
    '.gitattributes': 'private.cfg -diff\n',
  });
  commit();
  expect((await findCode(program(), null)).told.code).toMatchObject({ isDirty: false, diff: null });
  await write({
    'trainers/mine.py': 'print()\nprint("größer\rdiff --git a/x b/x")\n',
    'windows.txt': 'one\r\nthree\r\n',
    'no end': 'two',
    'new.txt': 'new\n',
    'run.sh': 'true\n',
    'latin.txt': Buffer.from('th\xe9\n', 'latin1'),
    'image.bin': Buffer.from([0, 2]),
    'large.csv': 'b'.repeat(mostOfDiff + 2),
    'private.cfg': 'two\n',
  });
  await chmod(join(top, 'run.sh'), 0o755);
  git('rm', '-q', 'gone.txt');
  git('add', 'new.txt');
  await write({ 'untracked.txt': 'nobody asked for this' });
  // What a person, or the repository, has set for diffs to be looked at changes nothing.
  const before = await findCode(program(), null);
  for (const setting of ['diff.noprefix', 'diff.mnemonicPrefix', 'color.diff', 'diff.relative', 'diff.colorMoved'])
    git('config', setting, setting === 'color.diff' ? 'always' : 'true');
  git('config', 'diff.context', '0');
  const { told, diff } = await findCode(program(), null);
  expect(told.code?.diff).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/), isTruncated: false, withheld: 0 });
  expect(told).toEqual(before.told);
  expect(codeText(told)).toMatch(/ on main, with uncommitted changes \(code\.diff\)$/);
  expect(diff).toContain("\n# By name and git's digests alone: image.bin, large.csv, latin.txt, private.cfg\n");
  expect(diff).toMatch(
    /^index [0-9a-f]{40}\.\.[0-9a-f]{40} 100644\nBinary files a\/image\.bin and b\/image\.bin differ$/m,
  );
  for (const absent of ['untracked', 'nobody', 'th\uFFFD', 'aaaa', '+two\n@@']) expect(diff).not.toContain(absent);
  // Applied to the commit, with what is told by digests alone from here, it is what was there.
  const kept = new Map<string, Buffer>();
  for (const path of ['trainers/mine.py', 'windows.txt', 'no end', 'new.txt'])
    kept.set(path, await readFile(join(top, path)));
  git('add', '-A', ':!untracked.txt');
  git('config', 'diff.noprefix', 'false');
  git('reset', '-q', '--hard');
  await writeFile(join(data, 'code.diff'), diff ?? '');
  const exclude = ['image.bin', 'large.csv', 'latin.txt', 'private.cfg'].map((path) => `--exclude=${path}`);
  git('apply', ...exclude, join(data, 'code.diff'));
  for (const [path, content] of kept) expect(await readFile(join(top, path))).toEqual(content);
  await expect(readFile(join(top, 'gone.txt'))).rejects.toThrow('ENOENT');
  expect(git('diff', '--summary', 'HEAD')).toContain('mode change 100644 => 100755 run.sh');
});

it('is published with its run, goes with the next session that has none, and is switched off', async () => {
  await write({ 'trainers/mine.py': 'print()\n' });
  commit();
  await write({ 'trainers/mine.py': 'print(1)\n' });
  const folder = await new RunFolders(data).make('r');
  const published = async () => {
    const all: string[] = [];
    for await (const [path] of publishedFiles(folder)) all.push(path);
    return all.includes(codeDiffFile);
  };
  expect((await keepCode(folder, program(), 'no-python')).code?.diff).toMatchObject({ isTruncated: false });
  expect(await published()).toBe(true);
  expect((await keepCode(folder, program(), 'no-python', { code: 'none' })).code).toMatchObject({
    ...{ isDirty: true, diff: null },
  });
  expect(await published()).toBe(false);
  // What has its place there costs no session, and nothing is said to be there that is not.
  await mkdir(join(folder.path, codeDiffFile));
  expect((await keepCode(folder, program(), 'no-python')).code).toMatchObject({ isDirty: true, diff: null });
});

it('says what does not fit, and holds the rest', async () => {
  const line = (text: string) => `${`${text} `.repeat(49)}\n`;
  const many = { 'a.txt': line('a').repeat(6000), 'b.txt': line('b').repeat(6000), 'c.txt': 'c\n' };
  await write({ 'trainers/mine.py': 'print()\n', ...Object.fromEntries(Object.keys(many).map((path) => [path, ''])) });
  commit();
  await write(many);
  const { told, diff } = await findCode(program(), null);
  expect(told.code?.diff).toMatchObject({ isTruncated: true, withheld: 0 });
  expect(codeText(told)).toMatch(/with uncommitted changes \(code\.diff, truncated\)$/);
  expect(diff).toContain(`\n# TRUNCATED at ${mostOfDiff} bytes, without the changes of: b.txt\n`);
  expect(diff?.match(/^diff --git .*$/gm)).toEqual(['diff --git a/a.txt b/a.txt', 'diff --git a/c.txt b/c.txt']);
  expect(Buffer.byteLength(diff ?? '')).toBeLessThan(mostOfDiff + 10_000);
});

it.each([
  ['.env', 'LEVEL=1'],
  ['deploy/secrets/all.yaml', 'a: b'],
  ['server.pem', 'x'],
  ['a "quoted" name.key', 'x'],
  ['settings.py', 'PASSWORD = "correct-horse"'],
  ['settings.json', '{"api_key": "0123456789abcdef"}'],
  ['settings.yaml', 'wandb_token: 0123456789abcdef'],
  ['notes.txt', '-----BEGIN OPENSSH PRIVATE KEY-----'],
  ['notes.txt', `${'c'.repeat(30)}${'A1'.repeat(17)}`],
  ['aws.ini', 'id = AKIAIOSFODNN7EXAMPLE'],
  ['store.py', 'open("s3://user:word@host/bucket")'],
  ['log.py', 'os.environ["WANDB_API_KEY"] = "0123456789abcdef0123456789abcdef01234567"'],
  ['log.py', 'wandb.login(key="0123456789abcdef0123456789abcdef01234567")'],
  ['log.py', 'key = os.getenv("API_KEY", "abcdef0123456789")'],
  ['store.py', 'at = "AccountName=a;AccountKey=Zm9vYmFyMTIzNDU2Nzg5MA==;EndpointSuffix=b"'],
  ['store.py', 'password = "correct horse (battery)"'],
  ['settings.yaml', 'password: Tr0ub4dor&3'],
  ['settings.ini', 'db_password = correcthorse  # mine'],
  ['hf_token', 'one word'],
  ['latin.txt', Buffer.from('caf\xe9\ntoken = "0123456789abcdef"\n', 'latin1')],
])('withholds what may be a secret: %s with %s', async (path, content) => {
  await write({ 'trainers/mine.py': 'print()\n', [path]: 'one\n' });
  commit();
  await write({
    [path]: typeof content === 'string' ? `one\n${content}\n` : content,
    'trainers/mine.py': 'print(1)\n',
  });
  const { told, diff } = await findCode(program(), null);
  expect(told.code?.diff).toMatchObject({ isTruncated: false, withheld: 1 });
  expect(diff).toMatch(/^# Withheld, as they may hold secrets: /m);
  expect(diff?.match(/^diff --git .*$/gm)).toEqual(['diff --git a/trainers/mine.py b/trainers/mine.py']);
});

it('does not take everyday code for secrets', async () => {
  await write({ 'trainers/mine.py': '\n', 'trainers/mine.yaml': '\n', 'hf_tokenizer.py': '\n' });
  commit();
  const code = [
    'tokens = tokenizer.encode(text, max_length=512)',
    'pad_token = "<|endoftext|>"',
    'mask_token="[MASK]"',
    'token = self.vocabulary[index]',
    'password = getpass()',
    'url = "https://example.org:8080/a@b"',
    'learning_rate = 0.003',
    'columns = ["token", "attention_mask"]',
    'if token == "<eos>" or key == "weights":',
    'os.environ["TOKENIZERS_PARALLELISM"] = "false"',
    'secret = os.environ["MY_SECRET"]',
  ];
  await write({
    'trainers/mine.py': `${code.join('\n')}\n`,
    'hf_tokenizer.py': 'pass\n',
    'trainers/mine.yaml': 'tokenizer: bert-base\npad_token: "<pad>"\nmax_token: 512\ntoken: $TOKEN\nsecret: null\n',
  });
  expect((await findCode(program(), null)).told.code?.diff).toMatchObject({ withheld: 0 });
});

it('nothing that a submodule names is run, and what nobody has looked at is unknown', async () => {
  await write({ 'trainers/mine.py': 'print()\n' });
  const inner = join(top, 'inner');
  execFileSync('git', ['init', '-q', inner]);
  await write({ 'inner/file.txt': 'one\n', 'inner/.gitattributes': '* filter=mine\n' });
  const inside = ['-C', inner, '-c', 'user.name=t', '-c', 'user.email=t@t'];
  execFileSync('git', [...inside, 'add', '-A']);
  execFileSync('git', [...inside, 'commit', '-q', '-m', 'inner']);
  commit();
  const ran = join(data, 'ran');
  execFileSync('git', [...inside, 'config', 'filter.mine.clean', `touch ${ran}; cat`]);
  await write({ 'inner/file.txt': 'another\n' });
  expect((await codeOf(program()))?.isDirty).toBeNull();
  await write({ 'trainers/mine.py': 'print(1)\n' });
  const { told, diff } = await findCode(program(), null);
  expect(diff).toContain('print(1)');
  expect(diff).toContain('\n# Submodules by their commit alone: inner\n');
  expect(told.code?.diff).toMatchObject({ isTruncated: false, withheld: 1 });
  await expect(readFile(ran)).rejects.toThrow('ENOENT');
});
