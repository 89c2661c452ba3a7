/** `epochal server` as a process of its own, for the tests that kill it; without the pages, which take a while to build. */
import { runServer } from '../../launch/services.ts';

process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.exit(await runServer({ prepare: async () => undefined }));
