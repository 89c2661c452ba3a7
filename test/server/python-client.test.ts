/** The Python client (epochal.client) against a real server, worker and trainer. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureEnvironment } from '../../worker/python-environments.ts';
import { pythonSdkFolder } from '../../worker/settings.ts';
import { call } from '../support/installed-package.ts';
import { TestHost } from '../support/test-host.ts';
import { TestServer } from '../support/test-server.ts';

const token = 'a-token-for-the-python-client';
let host: TestHost;
let server: TestServer;
let folder: string;
let python: string;
beforeAll(async () => {
  host = await TestHost.start({ slots: 2 });
  server = await TestServer.start(host, { settings: { token: { kind: 'given', token } } });
  folder = await mkdtemp(join(tmpdir(), 'epochal-python-client-'));
  ({ python } = await ensureEnvironment({
    requirements: ['pandas==3.1.1; python_version >= "3.11"', 'pandas==2.3.3; python_version < "3.11"'],
  }));
});
afterAll(async () => {
  await server?.stop();
  await host?.stop();
  await rm(folder, { recursive: true, force: true });
});

const run = (text: string, env: NodeJS.ProcessEnv = {}) =>
  call(python, ['-c', text], {
    cwd: folder,
    env: { PYTHONPATH: pythonSdkFolder, EPOCHAL_ADDRESS: server.address, EPOCHAL_TOKEN: token, ...env },
  });

it('starts a run, watches and stops it, continues it from a checkpoint, and takes its metrics and files', async () => {
  const slow = { batches: 20, batch_seconds: 0.05 };
  await writeFile(join(folder, 'slow.yaml'), JSON.stringify(host.config({ epochs: 500, parameters: slow })));
  const said = await run(`
from epochal.client import Client
client = Client()
run = client.start("slow.yaml", project="from-python")
states, is_stopped = [], False
for update in run.watch():
    states.append(update.state)
    if update.epoch >= 2 and not is_stopped:
        is_stopped = True
        run.stop()
receipt = run.receipt()
assert receipt["outcome"] == "stopped", receipt
assert states[-1] == "stopped", states
metrics = run.metrics()
assert list(metrics.index)[:2] == [1, 2] and metrics["loss"].notna().all(), metrics
assert run.download("config.yaml", "copied").read_text() == run.read("config.yaml").decode()
assert "receipt.json" in [entry["path"] for entry in run.files()]
assert isinstance(run.log(5), str)
trained = max(entry["epoch"] for entry in run.checkpoints())
longer = run.continue_from("last", epochs=trained + 2)
receipt = longer.wait()
assert receipt["outcome"] == "completed" and receipt["epochs"]["trained"] == trained + 2, receipt
found = client.runs(project="from-python")
assert set(found["run"]) >= {run.id, longer.id}, found
print(longer.id)
`);
  expect(said.trim()).not.toBe('');
});

it('says in one sentence what was refused, and that no server answers', async () => {
  const said = await run(
    `
from epochal.client import ApiError, Client, ServerUnavailable
try:
    Client().start({"trainer": "counter", "epochs": 0})
except ApiError as error:
    print(error.kind, error, error.problems[0]["field"])
try:
    Client(token="another-token-than-theirs").run("none").details()
except ApiError as error:
    print(error.kind)
try:
    Client("http://127.0.0.1:9").check({})
except ServerUnavailable as error:
    print(error)
`,
    { EPOCHAL_DATA_DIR: folder },
  );
  expect(said.trim().split('\n')).toEqual([
    expect.stringMatching(/^invalid .*epochs is 0: .* epochs$/),
    'unauthorized',
    expect.stringMatching(/no Epochal server answers at http:\/\/127\.0\.0\.1:9: /),
  ]);
  const nowhere = run('from epochal.client import Client; Client()', { EPOCHAL_ADDRESS: '', EPOCHAL_DATA_DIR: folder });
  await expect(nowhere).rejects.toThrow(/ServerUnavailable: no Epochal server is running on the data folder/);
});
