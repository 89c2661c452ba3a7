import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ensureEnvironment, isEnvironmentReady, readRequirements } from '../../worker/python-environments.ts';
import { runProgram } from '../../worker/run-program.ts';
import { readHeader } from '../../worker/trainer-header.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'epochal-python-'));
  vi.stubEnv('EPOCHAL_CACHE_DIR', join(folder, 'cache'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  // The installer of a process that was killed writes on for a moment.
  await rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
});

const imports = async (python: string, ...modules: string[]) =>
  (await runProgram(python, ['-I', '-c', `import ${modules.join(',')}`])).code === 0;
const environments = async () =>
  (await readdir(join(folder, 'cache', 'python'))).filter(
    (entry) => !entry.endsWith('.json') && !entry.endsWith('.lock'),
  );

describe('ensureEnvironment', () => {
  test.each([
    ['uv', ''],
    ['venv and pip', '1'],
  ])('%s: builds an environment with the requirements and the needs of the SDK, once', async (_, noUv) => {
    vi.stubEnv('EPOCHAL_NO_UV', noUv);
    expect(await isEnvironmentReady(['six==1.16.0'])).toBe(false);
    const progress: string[] = [];
    const first = await ensureEnvironment({ requirements: ['six==1.16.0'], onProgress: (line) => progress.push(line) });
    expect(await imports(first.python, 'six', 'pydantic')).toBe(true);
    expect(progress[0]).toMatch(/^preparing [0-9a-f]{16}, .*\d requirements \(.*six==1\.16\.0/);
    expect(progress.join('\n')).toMatch(/installing Python packages with \w+: .*(six|packages)/);
    expect(await isEnvironmentReady(['six==1.16.0'])).toBe(true);

    const again: string[] = [];
    expect(await ensureEnvironment({ requirements: ['six==1.16.0'], onProgress: (line) => again.push(line) })).toEqual(
      first,
    );
    expect(again).toEqual([]);
    expect(await environments()).toHaveLength(1);
  });

  test('other requirements get another environment; their order does not matter', async () => {
    const both = await ensureEnvironment({ requirements: ['six', 'iniconfig'] });
    expect(await ensureEnvironment({ requirements: ['iniconfig', 'six'] })).toEqual(both);
    const one = await ensureEnvironment({ requirements: ['six'] });
    expect(one).not.toEqual(both);
    expect(await imports(one.python, 'iniconfig')).toBe(false);
  });

  test('two processes at the same time build one environment and share it', async () => {
    const program = fileURLToPath(new URL('./prepare-an-environment.ts', import.meta.url));
    const answers = await Promise.all(
      [1, 2, 3].map(() =>
        runProgram(process.execPath, ['--import', 'tsx', program, 'six==1.16.0'], {
          env: process.env,
          timeoutMs: 280_000,
        }),
      ),
    );
    const pythons = answers.map(({ stdout }) => stdout.split('\n').at(-1) ?? '');
    expect(new Set(pythons).size).toBe(1);
    expect(await imports(pythons[0] ?? '', 'six')).toBe(true);
    expect(await environments()).toHaveLength(1);
  });

  test('a process killed while it builds leaves nothing that the next one takes for whole, nor a lock', async () => {
    const program = fileURLToPath(new URL('./prepare-an-environment.ts', import.meta.url));
    const builder = spawn(process.execPath, ['--import', 'tsx', program, 'six==1.16.0'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    for await (const chunk of builder.stdout) {
      said += String(chunk);
      if (said.includes('environment with') || said.includes('installing')) break;
    }
    builder.kill('SIGKILL');
    await once(builder, 'exit');
    expect(await isEnvironmentReady(['six==1.16.0'])).toBe(false);
    const { python } = await ensureEnvironment({ requirements: ['six==1.16.0'] });
    expect(await imports(python, 'six')).toBe(true);
  });

  test('an abort ends the installer and leaves nothing behind', async () => {
    const controller = new AbortController();
    const onProgress = (line: string) => {
      if (line.includes('installing')) controller.abort(new Error('not wanted any more'));
    };
    await expect(ensureEnvironment({ requirements: ['six'], onProgress, signal: controller.signal })).rejects.toThrow(
      'not wanted any more',
    );
    expect(await environments()).toEqual([]);
  });

  test('a package that does not exist is an error with the last words of the installer', async () => {
    await expect(ensureEnvironment({ requirements: ['six==0.0.0.does.not.exist'] })).rejects.toThrow(
      /installing Python packages with uv failed:[\s\S]*six/,
    );
    expect(await environments()).toEqual([]);
  });

  test('an environment whose Python was removed is built anew', async () => {
    const first = await ensureEnvironment({ requirements: ['six'] });
    await rm(first.python);
    expect(await isEnvironmentReady(['six'])).toBe(false);
    const second = await ensureEnvironment({ requirements: ['six'] });
    expect(await imports(second.python, 'six')).toBe(true);
  });

  test('no Python at all is an error that says what to install', async () => {
    vi.stubEnv('EPOCHAL_PYTHON', join(folder, 'no-python'));
    await expect(ensureEnvironment({ requirements: [] })).rejects.toThrow(
      /Python 3\.10 or newer is needed.*apt-get install python3/,
    );
  });
});

describe('readRequirements', () => {
  const write = async (path: string, content: string) => {
    const file = join(folder, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, content);
    return file;
  };

  test('reads requirements.txt beside trainer.py, with comments, continuations and included files', async () => {
    const trainer = await write('mine/trainer.py', 'print()\n');
    await write(
      'mine/requirements.txt',
      '# why\nsix==1.16.0  # pinned\n\nnumpy \\\n  >=1\n-r more/base.txt\n./local\nhttps://x.example/a#sha256=1\n',
    );
    await write('mine/more/base.txt', 'iniconfig\n');
    expect(await readRequirements(trainer)).toEqual([
      'six==1.16.0',
      expect.stringMatching(/^numpy\s+>=1$/),
      'iniconfig',
      join(folder, 'mine', 'local'),
      'https://x.example/a#sha256=1',
    ]);
  });

  test('reads the PEP 723 header of a single file, and not the requirements.txt of its folder', async () => {
    await write('requirements.txt', 'six\n');
    const trainer = await write(
      'mine.py',
      '#!/usr/bin/env python3\n# /// script\n# requires-python = ">=3.10"\n# dependencies = [\n#   "numpy>=1",  # why\n#   \'scikit-learn\',\n# ]\n# ///\n"""Docs."""\n',
    );
    expect(await readRequirements(trainer)).toEqual(['numpy>=1', 'scikit-learn']);
  });

  test('a header that says nothing of dependencies leaves them to requirements.txt, and names the image', async () => {
    const header = '# /// script\n# [tool.epochal]\n# image = "team/vision:1"\n# ///\n';
    const trainer = await write('imaged/trainer.py', header);
    await write('imaged/requirements.txt', 'six\n');
    expect(await readRequirements(trainer)).toEqual(['six']);
    expect(await readHeader(trainer)).toEqual({ dependencies: undefined, image: 'team/vision:1' });
    const wrong = await write('wrong.py', header.replace('team', '--team'));
    await expect(readHeader(wrong)).rejects.toThrow(/header of .*wrong\.py is not valid: tool\.epochal\.image must be/);
  });

  test('nothing said is no requirements', async () => {
    expect(await readRequirements(await write('bare.py', 'print()\n'))).toEqual([]);
    expect(await readRequirements(await write('bare/trainer.py', 'print()\n'))).toEqual([]);
  });

  test('a header that is not TOML is refused with the file named', async () => {
    const trainer = await write('bad.py', '# /// script\n# dependencies = [\n# ///\n');
    await expect(readRequirements(trainer)).rejects.toThrow(/header of .*bad\.py is not valid/);
  });
});

test('the key of an environment is written beside it, with what is in it', async () => {
  await ensureEnvironment({ requirements: ['six'] });
  const pointer = (await readdir(join(folder, 'cache', 'python'))).find((entry) => entry.endsWith('.json')) ?? '';
  expect(JSON.parse(await readFile(join(folder, 'cache', 'python', pointer), 'utf8'))).toMatchObject({
    requirements: [expect.stringContaining('pydantic'), 'six'],
  });
});
