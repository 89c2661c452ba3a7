/** Ends a vitest run with one line, `N passed, N failed`, or hands its counts to `test/run.ts`, which adds them up. */
import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export interface TestCounts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Set by `test/run.ts`: the file for the counts as JSON. */
export const countsFileVariable = 'EPOCHAL_TEST_COUNTS';

export function closingLine({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

export class ClosingLineReporter implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    // An error outside any test counts as a failure, or a run that broke would read as one that passed.
    const counts: TestCounts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const testModule of testModules) {
      counts.failed += testModule.errors().length;
      for (const suite of testModule.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of testModule.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed' || state === 'failed' || state === 'skipped') counts[state] += 1;
      }
    }
    const file = process.env[countsFileVariable];
    if (file) writeFileSync(file, JSON.stringify(counts));
    else process.stdout.write(`${closingLine(counts)}\n`);
  }
}
