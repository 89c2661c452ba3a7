/**
 * Stand-ins for the images that ours are built from, where no registry of images can be reached: Debian by `debootstrap`, and on it
 * what the images' names promise, from Debian's, npm's and Go's registries. An image that is there under its name is left alone.
 * As a program: `tsx test/containers/base-images.ts` makes those that are missing (two minutes), as root, and prints their names.
 */
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { docker, hasImage, must } from './docker.ts';

const folder = fileURLToPath(new URL('stand-ins', import.meta.url));
/** Certificates that this machine's administrator trusts beside the public ones: builds reach registries as the host does. */
const ownCertificates = '/usr/local/share/ca-certificates';
const bundle = '/etc/ssl/certs/ca-certificates.crt';

/** Tells an image of ours from a real one, in `docker image inspect`. */
export const standInLabel = 'epochal.stand-in=true';

export const debianImage = 'debian:bookworm-slim';
export const nodeImage = 'node:22-bookworm-slim';
/** Of the version that Debian has: the tag says what is in it. */
export const pythonImage = 'python:3.11-slim-bookworm';

/** The newest of each line that the image's tag promises. */
const nodeVersion = '22.23.5';
const npmVersion = '10.9.9';

/** Makes those that are missing; each takes the scratch folder that it may fill. */
export async function makeBaseImages(): Promise<string[]> {
  await unlessThere(debianImage, makeDebian);
  await unlessThere(nodeImage, makeNode);
  await unlessThere(pythonImage, (scratch) => build(pythonImage, 'python', scratch));
  return [debianImage, nodeImage, pythonImage];
}

export async function unlessThere(image: string, make: (scratch: string) => Promise<void>): Promise<void> {
  if (await hasImage(image)) return;
  const scratch = await mkdtemp(join(tmpdir(), 'epochal-image-'));
  try {
    await make(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Builds `stand-ins/<name>.Dockerfile` with what lies in the folder. */
export async function build(image: string, name: string, context: string): Promise<void> {
  const file = join(folder, `${name}.Dockerfile`);
  await docker(['build', '--label', standInLabel, '--tag', image, '--file', file, context]);
}

async function makeDebian(scratch: string): Promise<void> {
  const root = join(scratch, 'root');
  await must('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', root]);
  const certificates = (await readdir(ownCertificates).catch(() => [])).filter((name) => name.endsWith('.crt'));
  await mkdir(join(root, ownCertificates), { recursive: true });
  for (const name of certificates) await cp(join(ownCertificates, name), join(root, ownCertificates, name));
  await must('chroot', [root, 'update-ca-certificates']);
  for (const path of ['var/cache/apt', 'var/lib/apt/lists'])
    await rm(join(root, path), { recursive: true, force: true });
  // Node and pip bring certificates of their own, and are told of the system's by these.
  const told = ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS', 'PIP_CERT'].map((name) => `ENV ${name}=${bundle}`);
  const changes = [...told, `LABEL ${standInLabel}`, 'CMD ["bash"]'].flatMap((line) => ['--change', line]);
  const tar = join(scratch, 'root.tar');
  await must('tar', ['--create', '--file', tar, '--directory', root, '.']);
  await docker(['import', ...changes, tar, debianImage]);
}

async function makeNode(scratch: string): Promise<void> {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  await unpacked(`node-linux-${architecture}@${nodeVersion}`, join(scratch, 'node'));
  await unpacked(`npm@${npmVersion}`, join(scratch, 'npm'));
  await build(nodeImage, 'node', scratch);
}

/** A package of npm, as it was published, in this folder. */
async function unpacked(name: string, into: string): Promise<void> {
  await mkdir(into);
  const { stdout } = await must('npm', ['pack', '--silent', name], { cwd: into });
  const archive = join(into, stdout.trim().split('\n').at(-1) ?? '');
  await must('tar', ['--extract', '--file', archive, '--strip-components', '1', '--directory', into]);
  await rm(archive);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${(await makeBaseImages()).join('\n')}\n`);
}
