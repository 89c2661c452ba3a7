/**
 * Images of trainers: a base with Python, and the environment that a trainer's requirements ask for. The packages are installed in a container of
 * the base, into a folder of this host, which then is copied into the image: so addresses and passwords of package indexes, and certificates of a
 * proxy, are in no layer.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerEngine } from './launchers/container-engine.ts';
import { installerEnvironment } from './program-environment.ts';
import { allRequirements } from './python-environments.ts';
import { requirementsLists } from './requirements-lists.ts';
import type { TrainerProgram } from './trainer-catalog.ts';

/** Where the environment is in the image; its programs go before those of the base. */
const environment = '/opt/epochal';
const lists = '/opt/requirements';

export interface ImageRequest {
  engine: ContainerEngine;
  program: TrainerProgram;
  /** With Python 3.10 or newer and its `venv`. */
  base: string;
  tag: string;
  onLine?: (line: string) => void;
  signal?: AbortSignal | undefined;
}

/** The image could not be made; the message has the last words of who could not. */
export class ImageProblem extends Error {
  override readonly name = 'ImageProblem';
}

/** A framework has gigabytes. */
const longestMs = 3_600_000;
/** Certificates that an installer is told of by its environment. */
const certificates = [
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'PIP_CERT',
  'PIP_FIND_LINKS',
];

/** Answers its id. Throws ImageProblem. */
export async function buildImage({ engine, program, base, tag, onLine, signal }: ImageRequest): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-image-'));
  const call = async (doing: string, args: readonly string[]) => {
    const { code, tail } = await engine.call(args, {
      timeoutMs: longestMs,
      env: installerEnvironment(),
      signal,
      ...(onLine ? { onLine } : {}),
    });
    if (code !== 0) throw new ImageProblem(`${doing} failed:\n${tail}`);
  };
  try {
    const requirements = requirementsLists(await allRequirements(program.file));
    for (const name of ['environment', 'lists']) await mkdir(join(folder, name));
    for (const [name, lines] of Object.entries(requirements))
      await writeFile(join(folder, 'lists', `${name}.txt`), lines.map((line: string) => `${line}\n`).join(''));
    const pip = `${environment}/bin/python -m pip install --disable-pip-version-check --no-input --no-cache-dir`;
    const script = [
      `python3 -m venv ${environment}`,
      ...(requirements.hashed.length > 0 ? [`${pip} --require-hashes --no-deps -r ${lists}/hashed.txt`] : []),
      `${pip} -r ${lists}/others.txt`,
    ].join(' && ');
    await call('installing its packages', [
      ...['run', '--rm', '--pull', 'never', '--network', 'host', '--entrypoint', 'sh'],
      ...surroundings(),
      ...ownUser(engine),
      ...[
        '--volume',
        `${join(folder, 'environment')}:${environment}`,
        '--volume',
        `${join(folder, 'lists')}:${lists}:ro`,
      ],
      ...[base, '-c', script],
    ]);
    await cp(join(folder, 'lists'), join(folder, 'environment', 'requirements'), { recursive: true });
    const dockerfile = `FROM ${base}\nCOPY environment ${environment}\nENV PATH=${environment}/bin:$PATH\nLABEL epochal.trainer=${program.name}\n`;
    await writeFile(join(folder, 'Dockerfile'), dockerfile);
    await call('making the image', ['build', '--tag', tag, folder]);
    const id = await engine.imageId(tag);
    if (id === null) throw new ImageProblem(`${engine.program} has made no image ${tag}`);
    return id;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What it writes is this user's, who removes it. To Podman, which needs no root, its root is that user already. */
function ownUser({ program }: ContainerEngine): string[] {
  const [user, group] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  return program === 'podman' || user === 0 ? [] : ['--user', `${user}:${group}`, '--env', 'HOME=/tmp'];
}

/** What an installer on this host would have: indexes, proxies, and the certificates that they are trusted by. */
function surroundings(): string[] {
  const env = installerEnvironment();
  const passed = Object.entries(env).filter(([name]) =>
    /^(PIP_|UV_|SSL_|REQUESTS_|CURL_|[a-z]+_proxy$|[A-Z]+_PROXY$)/.test(name),
  );
  const paths = new Set(certificates.flatMap((name) => (env[name]?.startsWith('/') ? [env[name]] : [])));
  return [
    // By name alone: the command line of a program can be read by all users.
    ...passed.flatMap(([name]) => ['--env', name]),
    ...[...paths].flatMap((path) => ['--volume', `${path}:${path}:ro`]),
  ];
}
