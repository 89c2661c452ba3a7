import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import shared from './vitest.config.ts';

/** The schedules take longest: begun last, they would keep the cores waiting at the end. */
class SchedulesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSchedules = ({ moduleId }: TestSpecification) => moduleId.endsWith('/random-schedules.test.ts');
    return [...sorted.filter(isSchedules), ...sorted.filter((file) => !isSchedules(file))];
  }
}

/** `npm run test:faults`: real workers, trainers and servers that are killed. The same set-up, other files. */
export default defineConfig({
  test: {
    ...shared.test,
    include: ['test/faults/**/*.test.ts'],
    exclude: [],
    sequence: { sequencer: SchedulesFirst },
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
