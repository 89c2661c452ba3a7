/** The end of a run: its folder goes, or says why it stays, and the receipt in the store is made final. */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Receipt } from '../contracts/receipt.ts';
import type { CleanUpInput } from '../contracts/run-activities.ts';
import { outputPath } from '../stores/artifact-store.ts';
import type { Host } from '../worker/host.ts';
import { withStore, working } from './activity-support.ts';

export const cleanUp =
  (host: Host) =>
  (input: CleanUpInput): Promise<Receipt> =>
    // One at a time: the receipt of an attempt that was given up must not go over that of the next one.
    working('clean up', (signal) =>
      host.outputs.take(input.run, signal, async () => {
        const localFolder = await dealWithFolder(host, input);
        const receipt: Receipt = { ...input.receipt, localFolder, endedAt: new Date().toISOString() };
        const path = `${outputPath(input.config.project, input.run)}/receipt.json`;
        // Where publishing failed for good, the receipt is beside the files that were kept.
        const write = withStore(() => host.storeOf(input.config).write(path, `${JSON.stringify(receipt, null, 2)}\n`));
        if (input.receipt.publishedBytes > 0) await write;
        else await write.catch(() => undefined);
        host.sessions.forget(input.run);
        return receipt;
      }),
    );

async function dealWithFolder(
  host: Host,
  { run, keep, receipt, host: owner }: CleanUpInput,
): Promise<Receipt['localFolder']> {
  if (owner === null) return receipt.localFolder;
  const { path } = host.folders.of(run);
  if (keep === null) {
    await host.folders.remove(run);
    return { kind: 'removed' };
  }
  if (
    !(await access(path).then(
      () => true,
      () => false,
    ))
  )
    return { kind: 'none' };
  await writeFile(join(path, 'kept.json'), JSON.stringify({ run, why: keep, receipt }));
  return { kind: 'kept', host: host.id, path, why: keep };
}
