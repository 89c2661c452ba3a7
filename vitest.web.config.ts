import { defineConfig } from 'vitest/config';
import { beginningWith } from './test/beginning-with.ts';
import shared from './vitest.config.ts';

/** `npm run test:web`: the browser on a real server, worker and trainer, and the API against its own document. */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/web/**/*.test.ts', 'test/server/contract.test.ts'],
    exclude: [],
    // Each file has a Temporal server, a worker, trainers and a browser of its own, which wait for each other at times.
    maxWorkers: 2,
    sequence: { sequencer: beginningWith('accessibility') },
    globalSetup: ['test/temporal-server.ts', 'test/web/built-web.ts'],
  },
});
