import { defineConfig } from 'vitest/config';
import shared from './vitest.config.ts';

/**
 * `npm run test:containers`: the image and the compose file on a Docker engine. In minutes, and as root: a command by itself. A short part, two
 * minutes once the image is built: `npm run test:containers -- -t 'one command|demo is trained|nothing is left'`. Trainers in
 * containers alone: `npm run test:containers -- launcher hostile-trainers chosen-images`.
 */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/containers/**/*.test.ts'],
    exclude: [],
    globalSetup: ['test/containers/engine.ts'],
    maxWorkers: 1,
    fileParallelism: false,
    // The first failure says why what follows fails.
    bail: 1,
  },
});
