/** Starts a server, prints its pid, and never stops it: for the test that kills this process. */
import { startTemporalServer } from '../../launch/temporal-server.ts';

const [binary = '', logFile = ''] = process.argv.slice(2);
const server = await startTemporalServer({ binary, logFile, ui: false });
process.stdout.write(`${server.pid}\n`);
await server.ended;
