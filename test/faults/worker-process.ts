/**
 * A worker as a process of its own, for the tests that kill it, with what serves the workflows unless EPOCHAL_TEST_CONTROL is `no`. It ends
 * with the test process, however that one ends.
 */
import { runWorker } from '../../launch/services.ts';

process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.exit(await runWorker({ withControl: process.env.EPOCHAL_TEST_CONTROL !== 'no' }));
