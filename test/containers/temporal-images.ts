/**
 * Stand-ins for the images that the compose file names and that are not ours, where no registry of images can be reached: PostgreSQL of
 * Debian, Temporal's server, tools and UI built from their sources. They are the real programs, started as the images start them.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../../contracts/folders.ts';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { build, unlessThere } from './base-images.ts';
import { must } from './docker.ts';

export const postgresImage = 'postgres:15';
export const temporalVersion = '1.32.0';
export const temporalUiVersion = '2.54.1';

const serverModule = `go.temporal.io/server@v${temporalVersion}`;
const uiModule = `github.com/temporalio/ui-server/v2@v${temporalUiVersion}`;
const standIns = fileURLToPath(new URL('stand-ins', import.meta.url));

export async function makeTemporalImages(): Promise<void> {
  await unlessThere(postgresImage, async (scratch) => {
    await cp(join(standIns, 'postgres-entrypoint.sh'), join(scratch, 'postgres-entrypoint.sh'));
    await build(postgresImage, 'postgres', scratch);
  });
  await unlessThere(`temporalio/server:${temporalVersion}`, async (scratch) => {
    await cp(await program('go.temporal.io/server/cmd/server', temporalVersion), join(scratch, 'temporal-server'));
    await cp(join(await sourceOf(serverModule), 'docker/scripts/sh/entrypoint.sh'), join(scratch, 'entrypoint.sh'));
    await must('chmod', ['755', join(scratch, 'entrypoint.sh')]);
    await build(`temporalio/server:${temporalVersion}`, 'temporal-server', scratch);
  });
  await unlessThere(`temporalio/admin-tools:${temporalVersion}`, async (scratch) => {
    await cp(await program('go.temporal.io/server/cmd/tools/sql', temporalVersion), join(scratch, 'temporal-sql-tool'));
    await cp((await ensureTemporalBinary()).path, join(scratch, 'temporal'));
    await cp(join(await sourceOf(serverModule), 'schema'), join(scratch, 'schema'), { recursive: true });
    await must('chmod', ['-R', 'u+w,a+rX', join(scratch, 'schema')]);
    await build(`temporalio/admin-tools:${temporalVersion}`, 'temporal-admin-tools', scratch);
  });
  await unlessThere(`temporalio/ui:${temporalUiVersion}`, async (scratch) => {
    await cp(
      await program('github.com/temporalio/ui-server/v2/cmd/server', temporalUiVersion),
      join(scratch, 'ui-server'),
    );
    const source = await sourceOf(uiModule);
    await cp(join(source, 'config'), join(scratch, 'config'), { recursive: true });
    await cp(join(source, 'docker/start-ui-server.sh'), join(scratch, 'start-ui-server.sh'));
    await must('chmod', ['-R', 'u+w,a+rX', scratch]);
    await must('chmod', ['755', join(scratch, 'start-ui-server.sh')]);
    await build(`temporalio/ui:${temporalUiVersion}`, 'temporal-ui', scratch);
  });
}

/** Built once for this machine: the server takes some minutes. */
async function program(of: string, version: string): Promise<string> {
  const folder = join(cacheFolder({ env: process.env, platform: platform(), home: homedir() }), 'bin');
  const name = of.split('/').slice(-4).join('-');
  const path = join(folder, `${name}-${version}`);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const beside = await mkdtemp(join(folder, '.go-'));
  try {
    const env = { ...process.env, GOBIN: beside, CGO_ENABLED: '0', GOFLAGS: '-trimpath -buildvcs=false' };
    await must('go', ['install', `${of}@v${version}`], { env });
    await rename(join(beside, of.split('/').at(-1) ?? ''), path);
    return path;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** The folder with a module's source. */
async function sourceOf(module: string): Promise<string> {
  const { stdout } = await must('go', ['mod', 'download', '-json', module], { cwd: '/' });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
