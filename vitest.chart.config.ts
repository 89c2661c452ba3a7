import { defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/** `npm run test:chart`: the Helm chart, by helm itself and the schemas of Kubernetes; no cluster. Builds helm where it is not there (minutes). */
export default defineConfig({
  test: { ...shared.test, include: ['test/charts/**/*.test.ts'], exclude: [], globalSetup: [] },
});
