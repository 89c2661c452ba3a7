/** A worker as a process of its own, for the tests that kill it. It ends with the test process, however that one ends. */
import { runWorkerUntilSignal } from '../../worker/main.ts';

process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.exit(await runWorkerUntilSignal());
