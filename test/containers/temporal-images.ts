/**
 * Stand-ins for the images that the compose file names and that are not ours, where no registry of images can be reached: PostgreSQL of
 * Debian, Temporal's server, tools and UI built from their sources. They are the real programs, started as the images start them.
 */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { build, unlessThere } from './base-images.ts';
import { must } from './docker.ts';
import { program, sourceOf } from './go-programs.ts';

export const postgresImage = 'postgres:15';
export const temporalVersion = '1.32.0';
export const temporalUiVersion = '2.54.1';

export const serverModule = `go.temporal.io/server@v${temporalVersion}`;
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
