import { defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/**
 * `npm run test:kubernetes`: the chart on a Kubernetes node of this machine, made of the real programs. As root, on Linux; minutes, and some more
 * the first time, when Kubernetes, helm and the images are built.
 */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/kubernetes/**/*.test.ts'],
    exclude: [],
    // The engine that builds the image, ended afterwards.
    globalSetup: ['test/containers/engine.ts'],
    maxWorkers: 1,
    fileParallelism: false,
    // The first failure says why what follows fails.
    bail: 1,
  },
});
