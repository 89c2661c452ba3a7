/**
 * A worker as a process of its own, for the tests that kill it, with what serves the workflows unless EPOCHAL_TEST_CONTROL is `no`; a
 * worker in a batch job where EPOCHAL_TEST_IDLE_SECONDS says how long it stays idle. It ends with the test process, however that one ends.
 */
import { runWorker } from '../../launch/services.ts';

process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const { EPOCHAL_TEST_CONTROL: control, EPOCHAL_TEST_IDLE_SECONDS: idle } = process.env;
process.exit(await runWorker({ withControl: control !== 'no', idleSeconds: idle ? Number(idle) : undefined }));
