/** `npm run test:web`: the browser on a real server, worker and trainer, and the API against its own document. */
import { defineConfig } from 'vitest/config';
import { ClosingLineReporter } from './test/closing-line-reporter.ts';

export default defineConfig({
  test: {
    include: ['test/web/**/*.test.ts', 'test/server/contract.test.ts'],
    globalSetup: ['test/temporal-server.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    reporters: ['default', new ClosingLineReporter()],
  },
});
