import { defineConfig } from 'vitest/config';
import { beginningWith } from './test/beginning-with.ts';
import { ClosingLineReporter } from './test/closing-line-reporter.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Commands of their own: npm run test:faults, test:stores, test:trainers, test:web, test:containers, test:chart and test:kubernetes.
    exclude: [
      ...['test/faults/**', 'test/stores/servers/**', 'test/observers/servers/**', 'test/trainers/**', 'test/web/**'],
      ...['test/containers/**', 'test/charts/**', 'test/kubernetes/**'],
      'test/server/contract.test.ts',
    ],
    globalSetup: ['test/temporal-server.ts'],
    pool: 'forks',
    // The tests start real servers, workers and trainers, and wait for them for half of their time: three files keep two cores busy.
    maxWorkers: 3,
    sequence: {
      sequencer: beginningWith('long-run', 'start', 'live', 'package', 'training-client', 'any-configuration'),
    },
    // Generous: nothing waits for this long unless it hangs, and a busy machine takes several times what an idle one does.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 120_000,
    // Of vitest itself: a second.
    expect: { poll: { timeout: 240_000, interval: 50 } },
    reporters: ['default', new ClosingLineReporter()],
  },
});
