/** Stores on the server of Google Cloud Storage. */
import { inject } from 'vitest';
import { GcsBucket } from '../../../stores/gcs-bucket.ts';
import { testGcsBucket } from './gcs-server.ts';
import { ObjectStage } from './object-stage.ts';

export const hasGcs = inject('gcs') !== null;

export const gcs = new ObjectStage(
  `gs://${testGcsBucket}`,
  (sizes) => new GcsBucket(testGcsBucket, sizes),
  () => {
    const server = inject('gcs');
    if (server === null) throw new Error('there is no server of Google Cloud Storage');
    return server;
  },
  (endpoint) => ({ STORAGE_EMULATOR_HOST: endpoint }),
);
