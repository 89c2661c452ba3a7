import { defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** `npm run test:trainers`: runs of every trainer on its own framework, one after the other. */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/trainers/**/*.test.ts'],
    exclude: [],
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
  },
});
