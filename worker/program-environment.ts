/**
 * What programs that the worker starts see of its environment: what is on the lists below, and nothing else. A trainer's
 * code, and that of the packages it installs, is written by others, and the worker's environment has the keys of the server
 * and of the stores.
 */

/** Exact names, or with `*` for any characters. */
const everyProgram = [
  ...[
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'SHELL',
    'TERM',
    'TMPDIR',
    'TMP',
    'TEMP',
    'TZ',
    'TZDIR',
    'LANG',
    'LANGUAGE',
    'LC_*',
  ],
  ...['XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'XDG_RUNTIME_DIR'],
  ...[
    'LD_LIBRARY_PATH',
    'LD_PRELOAD',
    'DYLD_*',
    'SYSTEMROOT',
    'COMSPEC',
    'PATHEXT',
    'USERPROFILE',
    'APPDATA',
    'LOCALAPPDATA',
  ],
  ...['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'no_proxy'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY', 'NO_PROXY'],
  // Paths of public certificates: who downloads through a proxy that inspects needs them.
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'],
  // What the `python3` of a PATH may itself be found by.
  ...['PYENV_ROOT', 'PYENV_VERSION'],
  ...['CUDA_*', 'NVIDIA_*', 'ROCM_*', 'ROCR_*', 'HIP_*', 'HSA_*', 'GPU_DEVICE_ORDINAL', 'ZE_*'],
] as const;

const trainers = [
  ...['PYTHONPATH', 'PYTHONHASHSEED', 'PYTHONUTF8', 'PYTHONIOENCODING', 'PYTHONWARNINGS', 'PYTHONMALLOC'],
  ...['PYTHONFAULTHANDLER', 'PYTHONPYCACHEPREFIX'],
  ...['CUDNN_*', 'CUBLAS_*', 'MIOPEN_*', 'OMP_*', 'GOMP_*', 'KMP_*', 'MKL_*', 'OPENBLAS_*', 'BLIS_*', 'VECLIB_*'],
  ...['NUMEXPR_*', 'NUMBA_*', 'MALLOC_*', 'NCCL_*', 'RCCL_*', 'GLOO_*', 'UCX_*', 'TORCH_*', 'PYTORCH_*'],
  ...[
    'TORCHINDUCTOR_*',
    'TRITON_*',
    'XLA_*',
    'TF_*',
    'JAX_*',
    'TRANSFORMERS_*',
    'OPENCV_*',
    'MPLBACKEND',
    'MPLCONFIGDIR',
  ],
  ...['HF_HOME', 'HF_HUB_*', 'HF_DATASETS_*', 'TOKENIZERS_PARALLELISM', 'YOLO_*', 'EPOCHAL_CACHE_DIR'],
] as const;

/**
 * Integrations with trackers, which frameworks switch on by themselves wherever the tracker's package is installed. The worker tells trackers of runs: theirs would
 * be a second run there, or another project's. Each is off unless `EPOCHAL_TRAINER_ENV` hands on a variable of the tracker's own.
 */
const integrations: readonly { of: RegExp; off: NodeJS.ProcessEnv }[] = [
  { of: /^WANDB_/, off: { WANDB_MODE: 'disabled' } },
  { of: /^MLFLOW_|^DISABLE_MLFLOW_INTEGRATION$/, off: { DISABLE_MLFLOW_INTEGRATION: 'TRUE' } },
  { of: /^COMET_/, off: { COMET_MODE: 'disabled' } },
  { of: /^NEPTUNE_/, off: { NEPTUNE_MODE: 'disabled' } },
];

const installers = ['PIP_*', 'UV_*', 'NETRC', 'CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS', 'MAX_JOBS'] as const;

/** Kept from every glob, a person's own included: who means such a variable names it in full. */
const looksSecret = /TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|(ACCESS|STORAGE)_?KEY|CONNECTION_?STRING|PRIVATE/i;
/** What the service tells its own parts. None of it is handed on by a person's list, not even by its full name. */
const isServices = (variable: string): boolean => /^(TEMPORAL|EPOCHAL)_/i.test(variable);

/** The environment of a program of the system that answers a question: `nvidia-smi`, a Python that is asked its version. */
export const programEnvironment = (env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv =>
  picked(env, everyProgram);

/** Of a trainer, before what it is told besides. */
export function trainerSurroundings(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const own = added(env);
  const off = integrations.filter(({ of }) => !Object.keys(own).some((variable) => of.test(variable)));
  return Object.assign({}, ...off.map((one) => one.off), own, picked(env, [...everyProgram, ...trainers]));
}

/** Of what installs packages, whose set-up code may run. */
export const installerEnvironment = (env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv => ({
  ...added(env),
  ...picked(env, everyProgram),
  // Indexes are addresses with their users and passwords.
  ...picked(env, installers, () => true),
});

/** Names and globs of `EPOCHAL_TRAINER_ENV`, and what of it is not allowed. */
export function readTrainerVariables(text: string | undefined): { patterns: string[]; refused: string[] } {
  const patterns = (text ?? '').split(/[\s,]+/).filter(Boolean);
  return { patterns, refused: patterns.filter((one) => !/^[A-Za-z_*][A-Za-z0-9_*]*$/.test(one) || isServices(one)) };
}

/** What a person's list hands on, and nothing else. */
export const grantedEnvironment = (env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv => added(env);

function added(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { patterns } = readTrainerVariables(env.EPOCHAL_TRAINER_ENV);
  return picked(
    env,
    patterns,
    (variable) => !isServices(variable) && (patterns.includes(variable) || !looksSecret.test(variable)),
  );
}

function picked(
  env: NodeJS.ProcessEnv,
  patterns: readonly string[],
  mayPass: (variable: string) => boolean = (variable) => patterns.includes(variable) || !looksSecret.test(variable),
): NodeJS.ProcessEnv {
  const allowed = patterns.map((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`));
  const names = Object.keys(env).filter((variable) => mayPass(variable) && allowed.some((one) => one.test(variable)));
  return Object.fromEntries(names.map((variable) => [variable, env[variable]]));
}
