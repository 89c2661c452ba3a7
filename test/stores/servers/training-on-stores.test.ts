/**
 * A real training of digits on each store that is not S3, where `training-on-s3.test.ts` loses a host besides: another run continues from what it left there, and the store's secret is nowhere to be
 * read. CI has enough of S3: `npm run test:stores -- training-on` runs it elsewhere (`vitest.stores.config.ts`).
 */
import { describe, expect, it } from 'vitest';
import { receiptSchema } from '../../../contracts/receipt.ts';
import { readText } from '../../../stores/artifact-store.ts';
import type { Bucket } from '../../../stores/bucket.ts';
import { openFolder } from '../../../stores/open-store.ts';
import { TestHost } from '../../support/test-host.ts';
import { azure, azureServer, hasAzure } from './azure-stage.ts';
import { gcs, hasGcs } from './gcs-stage.ts';
import type { ObjectStage } from './object-stage.ts';
import { server, teamFiles } from './team-files-stage.ts';

describe.skipIf(!hasAzure)('on Azure', () => {
  if (hasAzure) onStage(azure, () => azureServer().key);
});
describe.skipIf(!hasGcs)('on Google Cloud Storage', () => {
  if (hasGcs) onStage(gcs, () => null);
});
describe('in Team Files', () => {
  onStage(
    teamFiles,
    () => server.token,
    async (run) => {
      // It is one of the team's experiments, after the run has ended.
      const experiment = openFolder(`teamfiles:/experiments/default/${run}_digits`);
      const info = () => readText(experiment, 'experiment_info.json');
      await expect.poll(info, { timeout: 60_000, interval: 500 }).toContain(`"experiment_name": "${run}"`);
      expect((await experiment.verify('checkpoints/epoch-0002.npz'))?.size).toBeGreaterThan(0);
    },
  );
});

function onStage(
  stage: ObjectStage<Bucket>,
  secret: () => string | null,
  afterwards: (run: string) => Promise<void> = async () => undefined,
): void {
  stage.hooks();
  it('trains digits, has all of it there as its receipt says, and continues from there', async () => {
    const host = await TestHost.start({ store: stage.address, settings: { allowedStores: [stage.address] } });
    try {
      const run = await host.start(host.config({ trainer: 'digits', epochs: 2 }));
      const receipt = await run.handle.result();
      const output = `experiments/default/${run.id}`;
      expect(receipt).toMatchObject({ outcome: 'completed', outputFolder: `${stage.address}/${output}` });
      const { store } = stage;
      const written = receiptSchema.parse(JSON.parse((await readText(store, `${output}/receipt.json`)) ?? ''));
      const files = [...written.checkpoints.flatMap((checkpoint) => checkpoint.files), ...written.files];
      expect(files.length).toBeGreaterThan(4);
      expect(written.proofs).toEqual({ checksum: files.length, readBack: 0 });
      for (const file of files)
        expect(await store.verify(`${output}/${file.path}`)).toEqual({ ...file, path: `${output}/${file.path}` });
      await afterwards(run.id);
      const continueFrom = { outputFolder: receipt.outputFolder ?? '' };
      const next = await host.start(host.config({ trainer: 'digits', epochs: 3, continueFrom }));
      expect((await next.handle.result()).checkpoints.at(-1)?.epoch).toBe(3);
      const texts = [];
      for (const { handle } of [run, next])
        texts.push(JSON.stringify([await handle.result(), await handle.fetchHistory()]));
      const unwanted = secret();
      if (unwanted !== null) expect(texts.join()).not.toContain(unwanted);
    } finally {
      await host.stop();
    }
  });
}
