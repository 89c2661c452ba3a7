import { defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** `npm run test:stores`: every store on a real server of its kind, which is built or installed where it is not there. */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/stores/servers/**/*.test.ts', 'test/observers/servers/**/*.test.ts'],
    // CI has enough of S3.
    exclude: process.env.CI === 'true' ? ['test/stores/servers/training-on-stores.test.ts'] : [],
    globalSetup: [
      'test/temporal-server.ts',
      // First of all: it takes longest, and nobody waits for it here.
      'test/observers/servers/mlflow-server.ts',
      ...['s3', 'azure', 'gcs', 'team-files'].map((one) => `test/stores/servers/${one}-server.ts`),
    ],
  },
});
