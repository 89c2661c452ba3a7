/**
 * `npm run build:wheel [-- <folder> [<packed>]]`: makes the Python package in a folder (`dist-python`, where none is named). It
 * contains the SDK, and the Node package as `npm pack` makes it (or as it was packed before) with the lock file of its modules.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [folder = join(root, 'dist-python'), given] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'epochal-wheel-'));

function call(program, args, cwd) {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

function pack() {
  call('npm', ['pack', '--loglevel=error', '--pack-destination', scratch], root);
  return join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz')),
  );
}

try {
  const packed = given === undefined ? pack() : resolve(given);
  // In a copy: what a build leaves behind, and what is added here, has no place in the sources.
  const project = join(scratch, 'project');
  const mayGo = (path) => !/__pycache__|\.egg-info|\/build$/.test(path);
  cpSync(join(root, 'trainers', 'epochal'), project, { recursive: true, filter: mayGo });
  const contained = join(project, 'epochal_service', 'packed');
  mkdirSync(contained);
  copyFileSync(packed, join(contained, 'epochal.tgz'));
  copyFileSync(join(root, 'package-lock.json'), join(contained, 'package-lock.json'));
  const out = resolve(folder);
  if (spawnSync('uv', ['--version']).status === 0)
    call('uv', ['build', '--quiet', '--wheel', '--out-dir', out], project);
  else call('python3', ['-m', 'pip', 'wheel', '--quiet', '--no-deps', '--wheel-dir', out, '.'], project);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
