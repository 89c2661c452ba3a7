/**
 * Stores what the ledger chose and removes what it dropped, and what was never told as there was something newer, while
 * the trainer continues. What is damaged is moved aside; then nothing is removed, for what was to go may be all that is left.
 */
import { join } from 'node:path';
import { name as nameSchema } from '../contracts/names.ts';
import type { KeepCheckpointsInput, KeptCheckpoints } from '../contracts/run-activities.ts';
import { outputPath } from '../stores/artifact-store.ts';
import { removeTree } from '../stores/remove-tree.ts';
import { putAside, removePassed, storeCheckpoint } from '../worker/checkpoints.ts';
import { claimOutput, requireFolder } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { longestDoing, watchOf, withStore, workingFor } from './activity-support.ts';

export const keepCheckpoints =
  (host: Host) =>
  (input: KeepCheckpointsInput): Promise<KeptCheckpoints> =>
    workingFor(watchOf(host, input.run), 'uploading checkpoints', (signal, progress) =>
      withStore(() =>
        host.outputs.runExclusive(input.place, signal, async () => {
          const { run, place, config } = input;
          const life = host.runs.life(input.chain);
          const store = await host.stores.of(config);
          const folder = host.folders.of(place);
          const output = outputPath(config.project, place);
          await requireFolder(folder, life);
          await claimOutput(store, output, run, life);
          const kept: KeptCheckpoints = { stored: [], removed: [], damaged: [], bytes: 0 };
          progress.totalBytes = input.store.flatMap(({ files }) => files).reduce((sum, { size }) => sum + size, 0);
          const onBytes = (bytes: number) => {
            progress.bytes = (progress.bytes ?? 0) + bytes;
          };
          for (const entry of input.store) {
            progress.doing = `uploading ${entry.name}`;
            const onWait = (why: string) => {
              progress.doing = `uploading ${entry.name}: ${why}`.slice(0, longestDoing);
            };
            const whole = await storeCheckpoint(folder, entry, store, output, { signal, onBytes, onWait });
            if (whole) host.metrics.stored(entry.createdAt);
            else await putAside(folder, entry);
            (whole ? kept.stored : kept.damaged).push(entry.name);
          }
          for (const dropped of kept.damaged.length > 0 ? [] : input.remove) {
            const checkpoint = nameSchema.parse(dropped);
            progress.doing = `removing ${checkpoint}`;
            await removeTree(join(folder.checkpoints, checkpoint));
            await store.remove(`${output}/checkpoints/${checkpoint}`);
            kept.removed.push(checkpoint);
          }
          if (input.known && kept.damaged.length === 0) await removePassed(folder, input.store, input.known, signal);
          kept.bytes = progress.bytes ?? 0;
          host.metrics.copied(kept.bytes);
          return kept;
        }),
      ),
    );
