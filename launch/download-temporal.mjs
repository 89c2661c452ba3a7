/**
 * Has the Temporal SDK download its dev server into the folder given, by starting it once. Run as a program by
 * temporal-binary.ts. Its last line on stderr says what went wrong.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

try {
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir: process.argv[2] } },
  });
  await environment.teardown();
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  // The SDK nests the same request error three deep; its innermost part says why.
  process.stderr.write(`${reason.split(': ').slice(-2).join(': ').replaceAll('\n', ' ')}\n`);
  process.exitCode = 1;
}
