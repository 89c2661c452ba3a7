/** The image by itself: what it runs as, what is in it, how it gets its secrets. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../../worker/run-program.ts';
import { docker } from './docker.ts';
import { buildImage, image } from './image.ts';

/** As hardened as the compose file runs it. */
const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true', '--network', 'none'];
const inside = (script: string, ...flags: string[]) =>
  docker(['run', '--rm', ...hardened, ...flags, image, 'sh', '-c', script]);

beforeAll(buildImage, 1_800_000);

test('runs as a user of its own, on a root that nobody writes', async () => {
  expect(await docker(['image', 'inspect', '--format', '{{.Config.User}}', image])).toBe('10001:10001');
  const said = await inside(
    'id -u; touch /app/x /usr/x /data/x 2>&1 | grep -c "Read-only file system"; epochal --version',
  );
  expect(said.split('\n')).toEqual(['10001', '3', expect.stringMatching(/^\d+\.\d+\.\d+/)]);
});

test('has neither compilers nor package managers of Node, and Temporal for this platform alone', async () => {
  const there =
    'for one in cc gcc g++ make cmake npm npx corepack; do command -v $one; done; ls node_modules/@temporalio/core-bridge/releases';
  expect((await inside(there)).split('\n')).toEqual([expect.stringMatching(/-linux-gnu$/)]);
  expect(
    (await inside('ls; ls node_modules | grep -cE "^(typescript|vite|vitest|esbuild)$" || true')).split('\n'),
  ).toEqual([
    ...['CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'dist', 'docs', 'launch', 'node_modules', 'package.json'],
    ...['trainers', 'web', '0'],
  ]);
});

test('is small, and has what OpenCV loads', async () => {
  const bytes = Number(await docker(['image', 'inspect', '--format', '{{.Size}}', image]));
  expect(bytes).toBeLessThan(1_000_000_000);
  const load = 'import ctypes; [ctypes.CDLL(one) for one in ("libGL.so.1", "libgthread-2.0.so.0")]; print("loaded")';
  expect(await inside(`python3 -c '${load}'; uv --version; git --version`)).toMatch(/^loaded\nuv .*\ngit /);
});

test('secrets are files: named like variables they are those, unless the environment has them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-secrets-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'DIR'));
  const files = { EPOCHAL_TOKEN: "a 'quoted' $token `x`\n", AWS_KEY: 'of the file', 'other.txt': 'no variable' };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const mounted = ['--volume', `${folder}:/run/secrets:ro`, '--env', 'AWS_KEY=of the environment'];
  expect(await inside('echo "$EPOCHAL_TOKEN|$AWS_KEY|$DIR"', ...mounted)).toBe(
    "a 'quoted' $token `x`|of the environment|",
  );

  await chmod(join(folder, 'EPOCHAL_TOKEN'), 0o600);
  const refused = await runProgram('docker', ['run', '--rm', ...hardened, ...mounted, image, 'true']);
  expect(refused).toMatchObject({ code: 1, tail: expect.stringContaining('EPOCHAL_TOKEN: Permission denied') });
});
