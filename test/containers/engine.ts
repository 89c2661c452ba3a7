/**
 * A Docker engine for the tests: the one that answers, or one that is started here, as root on Linux, and ended afterwards. What it needs is
 * installed where Debian's packages can be.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../contracts/folders.ts';
import { runProgram } from '../../worker/run-program.ts';
import { until } from '../support/until.ts';
import { makeBaseImages } from './base-images.ts';
import { must } from './docker.ts';

const packages = {
  dockerd: 'docker.io',
  iptables: 'iptables',
  'docker-compose': 'docker-compose',
  debootstrap: 'debootstrap',
};

const succeeds = async (program: string, ...args: string[]) =>
  (await runProgram(program, args, { env: process.env })).code === 0;
const isThere = (program: string) => succeeds('sh', '-c', `command -v ${program}`);

/** Called by vitest before the tests; answers what ends it. */
export async function setup(): Promise<() => Promise<void>> {
  const missing: string[] = [];
  for (const [program, name] of Object.entries(packages)) if (!(await isThere(program))) missing.push(name);
  if (missing.length > 0) {
    await must('apt-get', ['update']);
    await must('apt-get', ['install', '--yes', '--no-install-recommends', ...missing]);
  }
  const stop = await startEngine();
  try {
    await makeBaseImages();
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

const answers = () => succeeds('docker', 'info');

async function startEngine(): Promise<() => Promise<void>> {
  if (await answers()) return async () => undefined;
  const folder = join(cacheFolder({ env: process.env, platform: platform(), home: homedir() }), 'docker');
  await mkdir(folder, { recursive: true });
  const log = await open(join(folder, 'dockerd.log'), 'w');
  const engine = spawn('dockerd', ['--data-root', folder], { stdio: ['ignore', log.fd, log.fd] });
  const ended = once(engine, 'exit');
  await until(
    'the Docker engine answers',
    async () => {
      if (engine.exitCode !== null) throw new Error(`dockerd ended with ${engine.exitCode}: see ${folder}/dockerd.log`);
      return answers();
    },
    60,
  );
  return async () => {
    engine.kill();
    await ended;
    await log.close();
  };
}
