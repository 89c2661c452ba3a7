/** What trainers and installers see of the worker's environment. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { installerEnvironment, trainerSurroundings } from '../../worker/program-environment.ts';
import { runProgram } from '../../worker/run-program.ts';
import { readSettings } from '../../worker/settings.ts';
import { TrainerCatalog } from '../../worker/trainer-catalog.ts';

const secrets = {
  ...{ TEMPORAL_API_KEY: 's', TEMPORAL_ADDRESS: 's', EPOCHAL_TOKEN: 's', EPOCHAL_STORE: 's', POSTGRES_PASSWORD: 's' },
  ...{ AWS_SECRET_ACCESS_KEY: 's', AWS_PROFILE: 's', GITHUB_TOKEN: 's', SSH_AUTH_SOCK: 's', NVIDIA_API_KEY: 's' },
  ...{ HF_TOKEN: 's', WANDB_API_KEY: 's', NODE_OPTIONS: 's' },
  ...{ AZURE_STORAGE_CONNECTION_STRING: 's', AZURE_STORAGE_KEY: 's', AZURE_STORAGE_SAS_TOKEN: 's' },
  ...{ GOOGLE_APPLICATION_CREDENTIALS: 's' },
};
const harmless = {
  ...{ PATH: '/bin', HOME: '/home/me', LC_ALL: 'C.UTF-8', https_proxy: 'http://proxy', XDG_CACHE_HOME: '/cache' },
  ...{ SSL_CERT_FILE: '/certificates' },
};
const forTrainers = { CUDA_VISIBLE_DEVICES: '1', OMP_NUM_THREADS: '2', NCCL_DEBUG: 'INFO', HF_HOME: '/hf' };
/** Integrations of frameworks with trackers. */
const off = {
  ...{ WANDB_MODE: 'disabled', DISABLE_MLFLOW_INTEGRATION: 'TRUE' },
  ...{ COMET_MODE: 'disabled', NEPTUNE_MODE: 'disabled' },
};
const forInstallers = { PIP_INDEX_URL: 'https://index', UV_INDEX_OWN_PASSWORD: 'of the index' };

afterEach(() => vi.unstubAllEnvs());

it('gives a trainer what trainings need, and an installer its indexes; neither sees a secret of the service', () => {
  const env = { ...secrets, ...harmless, ...forTrainers, ...forInstallers };
  expect(trainerSurroundings(env)).toEqual({ ...harmless, ...forTrainers, ...off });
  const { CUDA_VISIBLE_DEVICES } = forTrainers;
  expect(installerEnvironment(env)).toEqual({ ...harmless, ...forInstallers, CUDA_VISIBLE_DEVICES });
});

it('adds what EPOCHAL_TRAINER_ENV names; a glob takes no secret along, and nothing takes what is the service’s own', () => {
  const env = {
    ...secrets,
    WANDB_PROJECT: 'p',
    MINE: 'm',
    EPOCHAL_TRAINER_ENV: 'WANDB_*, AZURE_*, GOOGLE_*, HF_TOKEN *E',
  };
  const { WANDB_MODE: _, ...others } = off;
  // Whoever hands on what is W&B's has switched it on.
  const added = { WANDB_PROJECT: 'p', HF_TOKEN: 's', MINE: 'm', AWS_PROFILE: 's' };
  expect(trainerSurroundings(env)).toEqual({ ...others, ...added });
  for (const refused of ['EPOCHAL_TOKEN', 'TEMPORAL_*', 'a=b'])
    expect(() => readSettings({ EPOCHAL_TRAINER_ENV: refused })).toThrow(/^EPOCHAL_TRAINER_ENV is .*: must be names/);
});

it('reaches the trainer that describes itself, and every program that is run', async () => {
  for (const [variable, value] of Object.entries(secrets)) vi.stubEnv(variable, value);
  vi.stubEnv('OMP_NUM_THREADS', '3');
  const folder = await mkdtemp(join(tmpdir(), 'epochal-environment-'));
  try {
    const manifest = {
      ...{ protocol: 1, name: 'teller', title: 't', parameters: {}, datasets: [], canShrinkBatch: false },
      ...{ metrics: [{ name: 'loss', description: 'd' }], best: { metric: 'loss', mode: 'min' } },
    };
    await writeFile(
      join(folder, 'teller.py'),
      `import json, os\nmanifest = json.loads('''${JSON.stringify(manifest)}''')\n` +
        'print(json.dumps({**manifest, "description": " ".join(os.environ)}))\n',
    );
    const catalog = new TrainerCatalog([folder]);
    const [program] = await catalog.list();
    if (!program) throw new Error('the trainer was not found');
    const seen = (await catalog.describe(program)).description.split(' ');
    expect(seen).toEqual(expect.arrayContaining(['PATH', 'OMP_NUM_THREADS', 'PYTHONPATH']));
    expect(seen.filter((variable) => variable in secrets)).toEqual([]);
    const { stdout } = await runProgram(process.execPath, ['-p', 'Object.keys(process.env).join(" ")']);
    expect(stdout.split(' ').filter((variable) => variable in secrets)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
