/** The end of a run: its folder goes, or says why it stays, and the receipt in the store is made final. */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Receipt } from '../contracts/receipt.ts';
import type { CleanUpInput } from '../contracts/run-activities.ts';
import { outputPath, StoreError } from '../stores/artifact-store.ts';
import { claimOutput, requireFolder } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { withWhatIsStored } from '../worker/published-files.ts';
import { sealReceipt } from '../worker/sealed-receipt.ts';
import { withStore, working } from './activity-support.ts';

export const cleanUp =
  (host: Host) =>
  (input: CleanUpInput): Promise<Receipt> =>
    // One at a time: the receipt of an attempt that was given up must not go over that of the next one.
    working('clean up', (signal) =>
      host.outputs.runExclusive(input.place, signal, () =>
        withStore(async () => {
          const life = host.runs.life(input.chain);
          const isPublished = input.receipt.publishedBytes > 0;
          if (input.host !== null) await requireFolder(host.folders.of(input.place), life);
          const store = await host.stores.of(input.config);
          const output = outputPath(input.config.project, input.place);
          await claimOutput(store, output, input.run, life).catch((error) => {
            // Where publishing failed for good, the store may be away for good.
            if (!(error instanceof StoreError) || isPublished) throw error;
          });
          const told = isPublished
            ? input.receipt
            : // A store that is unavailable cannot tell.
              await withWhatIsStored(store, output, input.receipt).catch(() => input.receipt);
          const localFolder = await dealWithFolder(host, { ...input, receipt: told });
          const receipt: Receipt = { ...told, localFolder, endedAt: new Date().toISOString() };
          // Then the receipt is beside the files that were kept.
          const write = sealReceipt(store, output, receipt);
          if (isPublished) await write;
          else await write.catch(() => undefined);
          host.sessions.forget(input.place);
          return receipt;
        }),
      ),
    );

async function dealWithFolder(
  host: Host,
  { run, place, keep, receipt, host: owner }: CleanUpInput,
): Promise<Receipt['localFolder']> {
  if (owner === null) return receipt.localFolder;
  const { path } = host.folders.of(place);
  if (keep === null) {
    await host.folders.remove(place);
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
