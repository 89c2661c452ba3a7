/** The OpenAPI document against the server that it describes, by schemathesis: what it says is what happens. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureEnvironment } from '../../worker/python-environments.ts';
import { TestHost } from '../support/test-host.ts';
import { TestServer } from '../support/test-server.ts';

const testTrainers = fileURLToPath(new URL('../trainers', import.meta.url));
const seconds = 60;

let host: TestHost;
let server: TestServer;
beforeAll(async () => {
  host = await TestHost.start({ settings: { trainersFolders: [testTrainers] } });
  server = await TestServer.start(host);
  // The first question makes the Python environments, which has nothing to do with the contract.
  await server.ask('trainers');
}, 120_000);
afterAll(async () => {
  await server?.stop();
  await host?.stop();
});

/** 503 is what is said while a worker or Temporal is unavailable; 413 comes before any look at the content. */
const config = `
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
[checks.negative_data_rejection]
expected-statuses = ["400", "404", "405", "409", "413", "416", "431", "503"]
`;

it('is kept by the server, for good and for bad input', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-contract-'));
  try {
    const { python } = await ensureEnvironment({ requirements: ['schemathesis==4.32.5'] });
    const configFile = join(folder, 'schemathesis.toml');
    await writeFile(configFile, config);
    const report = join(folder, 'report.xml');
    const args = ['-m', 'schemathesis.cli', '--config-file', configFile, 'run', `${server.address}/api/docs/json`];
    // A stream never ends, and a started run takes the only slot for the next.
    args.push('--exclude-path', '/api/runs/{run}/live', '--phases', 'coverage,fuzzing', '--mode', 'all', '-n', '10');
    args.push(
      '--seed',
      '7',
      '--no-shrink',
      '--continue-on-failure',
      '--max-time',
      String(seconds),
      '--request-timeout',
      '120', // "train" has a worker check the configuration: on a busy machine that takes its time
      '--warnings',
      'off',
    );
    args.push(
      '--checks',
      'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection,unsupported_method',
    );
    args.push('--report', 'junit', '--report-junit-path', report);
    const { code, text } = await new Promise<{ code: number; text: string }>((resolve) => {
      execFile(
        python,
        args,
        { cwd: folder, maxBuffer: 64 << 20, timeout: (seconds + 240) * 1000 },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, text: `${stdout}\n${stderr}` }),
      );
    });
    // Bodies of a megabyte are in it.
    if (process.env.EPOCHAL_CONTRACT_LOG) await writeFile(process.env.EPOCHAL_CONTRACT_LOG, text);
    const told = text
      .split('\n')
      .map((line) => line.slice(0, 300))
      .slice(-80)
      .join('\n');
    expect(code, told).toBe(0);
    expect(await readFile(report, 'utf8')).toContain('GET /api/runs');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
