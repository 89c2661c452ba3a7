import { defineConfig } from 'vitest/config';
import { beginningWith } from './test/beginning-with.ts';
import shared from './vitest.config.ts';

/** `npm run test:faults`: real workers, trainers and servers that are killed. The same set-up, other files. */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/faults/**/*.test.ts'],
    exclude: [],
    sequence: { sequencer: beginningWith('worker-faults', 'store-faults', 'random-schedules', 'network-faults') },
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
