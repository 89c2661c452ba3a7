/** The contract of stores, on every kind of store there is. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe } from 'vitest';
import type { Bucket } from '../../../stores/bucket.ts';
import { openStore } from '../../../stores/open-store.ts';
import { azure, hasAzure } from './azure-stage.ts';
import { gcs, hasGcs } from './gcs-stage.ts';
import type { ObjectStage } from './object-stage.ts';
import { hasS3, s3 } from './s3-stage.ts';
import { storeContract } from './store-contract.ts';
import { teamFiles } from './team-files-stage.ts';

describe('a store in a folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'epochal-contract-'));
    await openStore(join(folder, 'store')).prepare(false);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  storeContract({
    store: () => openStore(join(folder, 'store')),
    again: (identity) => openStore(join(folder, 'store'), identity),
    folder: () => folder,
    local: async (name, content) => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    },
  });
});

describe.skipIf(!hasS3)('a store on S3', () => onStage(s3, hasS3));
describe.skipIf(!hasAzure)('a store on Azure', () => onStage(azure, hasAzure));
describe.skipIf(!hasGcs)('a store on Google Cloud Storage', () => onStage(gcs, hasGcs));
describe('a store in Team Files', () => onStage(teamFiles, true));

function onStage(stage: ObjectStage<Bucket>, isThere: boolean): void {
  if (isThere) stage.hooks();
  storeContract({
    store: () => stage.inSmallParts(),
    again: (identity) => stage.inSmallParts({ identity: identity ?? null }),
    folder: () => stage.folder,
    local: (name, content) => stage.local(name, content),
    large: stage.large + 1,
  });
}
