import { defineConfig } from 'vitest/config';
import { beginningWith } from './test/beginning-with.ts';
import shared from './vitest.config.ts';

const isContained = process.env.EPOCHAL_TEST_LAUNCHER === 'container';

/**
 * `npm run test:faults`: real workers, trainers and servers that are killed. The same set-up, other files. With EPOCHAL_TEST_LAUNCHER=container the
 * trainers are in containers, as root, with an engine that is started where none answers: `npm run test:faults -- trainer worker outliving hanging`.
 */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/faults/**/*.test.ts'],
    exclude: [],
    globalSetup: ['test/temporal-server.ts', ...(isContained ? ['test/containers/counter-image.ts'] : [])],
    sequence: { sequencer: beginningWith('worker-faults', 'store-faults', 'random-schedules', 'network-faults') },
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
