import { defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** `npm run test:faults`: real workers, trainers and servers that are killed. The same set-up, other files. */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/faults/**/*.test.ts'],
    exclude: [],
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
