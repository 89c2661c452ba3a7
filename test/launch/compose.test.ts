/** What can be checked of the production set-up without a Docker engine; `npm run test:containers` runs it on one. */
import { access, constants, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { searchAttributes } from '../../contracts/search-attributes.ts';
import { runProgram } from '../../worker/run-program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (path: string) => readFile(join(root, path), 'utf8');

const serviceSchema = z.object({
  image: z.string(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  restart: z.string(),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  cap_drop: z.array(z.string()).default([]),
  cap_add: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  read_only: z.boolean().default(false),
  tmpfs: z.array(z.string()).default([]),
  /** Docker kills what has not ended by then; it waits 10 s unless told otherwise. */
  stop_grace_period: z
    .string()
    .transform((period) => Number.parseInt(period, 10) * (period.endsWith('m') ? 60 : 1))
    .default(10),
  privileged: z.literal(false).default(false),
  environment: z.record(z.string(), z.string()).default({}),
  networks: z.array(z.string()).default([]),
});
const composeSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) }).nullable()),
});
const compose = async () => composeSchema.parse(parse(await text('docker-compose.yml'), { merge: true }));

test('every service has a pinned image, and a health check unless it ends by itself', async () => {
  const { services } = await compose();
  for (const [name, { image, restart, healthcheck }] of Object.entries(services)) {
    expect(image, name).not.toMatch(/latest|auto-setup/);
    expect(image, name).toMatch(/:/);
    if (restart === 'unless-stopped') expect(healthcheck, name).toBeDefined();
  }
});

test('what a service waits for exists, and is healthy or done', async () => {
  const { services } = await compose();
  for (const [name, { depends_on }] of Object.entries(services)) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      expect(Object.keys(services), name).toContain(other);
      const isJob = services[other]?.restart === 'on-failure:5';
      expect(condition, `${name} → ${other}`).toBe(isJob ? 'service_completed_successfully' : 'service_healthy');
    }
  }
});

test('nothing listens beyond this machine unless someone says so', async () => {
  const { services } = await compose();
  for (const port of Object.values(services).flatMap(({ ports }) => ports)) {
    expect(port).toMatch(/^\$\{TEMPORAL_BIND:-127\.0\.0\.1\}:/);
  }
});

test('nothing of ours is killed before it has ended in good order', async () => {
  const { services } = await compose();
  const grace = (name: string) => services[name]?.stop_grace_period;
  // Another server is let take over (3 s), then workflow tasks under way are seen through (20 s).
  expect(grace('server')).toBeGreaterThanOrEqual(25);
  // Trainers reach their batch boundary (60 s), then what is stored and published is seen through (80 s).
  for (const name of ['worker', 'worker-gpu']) expect(grace(name), name).toBeGreaterThanOrEqual(150);
});

test('no service has rights that it does not need', async () => {
  const { services } = await compose();
  const takesOver = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'];
  for (const [name, { cap_drop, cap_add, security_opt, read_only, tmpfs }] of Object.entries(services)) {
    expect(cap_drop, name).toEqual(['ALL']);
    expect(security_opt, name).toEqual(['no-new-privileges:true']);
    expect(cap_add, name).toEqual(name === 'postgresql' ? takesOver : []);
    expect(read_only, name).toBe(true);
    expect(
      tmpfs.map((folder) => folder.split(':')[0]),
      name,
    ).toContain('/tmp');
  }
  // The worker's user owns the home that it is given.
  const [, user] = /useradd --uid (\d+)/.exec(await text('Dockerfile')) ?? [];
  for (const name of ['worker', 'worker-gpu'])
    expect(
      services[name]?.tmpfs.find((folder) => folder.startsWith('/home/epochal:')),
      name,
    ).toContain(`uid=${user}`);
});

test('the database is on a network of its own, and trainers on one that has Temporal alone', async () => {
  const { services, networks } = await compose();
  const on = (network: string) => Object.keys(services).filter((name) => services[name]?.networks.includes(network));
  expect(on('database')).toEqual(['postgresql', 'database-set-up', 'temporal']);
  expect(networks.database?.internal).toBe(true);
  expect(on('agents')).toEqual(['temporal', 'worker', 'worker-gpu']);
  for (const name of ['worker', 'worker-gpu', 'postgresql']) expect(services[name]?.networks, name).toHaveLength(1);
});

test('secrets are files', async () => {
  const { services } = await compose();
  for (const [name, { environment }] of Object.entries(services)) {
    const secret = Object.keys(environment).filter((variable) => /PASSW|PWD|SECRET|TOKEN|KEY/.test(variable));
    expect(secret, name).toEqual(name === 'postgresql' ? ['POSTGRES_PASSWORD_FILE'] : []);
  }
  expect(await text('.gitignore')).toMatch(/^secrets\/$/m);
});

test('every variable of the compose file has a default, or is in .env.example', async () => {
  const example = await text('.env.example');
  for (const [, name = '', rest = ''] of (await text('docker-compose.yml')).matchAll(/\$\{([A-Z_]+)([^}]*)\}/g)) {
    if (!rest.startsWith(':-')) expect(example).toMatch(new RegExp(`^${name}=`, 'm'));
  }
});

test('the set-up scripts run in a POSIX shell, and name the search attributes of the contract', async () => {
  const script = await text('docker/set-up-namespace.sh');
  const named = [...script.matchAll(/--name (\S+) --type (\S+)/g)].map(([, name, type]) => [name, type]);
  expect(Object.fromEntries(named)).toEqual(searchAttributes);
  const scripts = (await readdir(join(root, 'docker'))).filter((name) => !name.endsWith('.yaml'));
  for (const path of [...scripts.map((name) => `docker/${name}`), 'launch/keep-server.sh']) {
    expect((await runProgram('/bin/sh', ['-n', join(root, path)])).code, path).toBe(0);
  }
});

test('the image gets every folder that the worker imports, and no secrets', async () => {
  const kept = (await text('.dockerignore'))
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  expect(kept).toEqual(
    expect.arrayContaining([
      'contracts',
      'observers',
      'stores',
      'worker',
      'activities',
      'workflows',
      'client',
      'launch',
      'trainers',
      'bin',
      'docker/epochal',
      'docker/with-secrets',
    ]),
  );
  expect(kept).not.toContain('.env');
  await access(join(root, 'bin', 'epochal.mjs'), constants.R_OK);
});

test('the lock file holds the packages of every platform', async () => {
  const { code, tail } = await runProgram(process.execPath, [join(root, '.ci', 'complete-lock.mjs'), '--check']);
  expect(code, tail).toBe(0);
});

test('a lock file without an integrity, without a package of another platform, or with a registry is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'epochal-lock-file-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const script = join(folder, '.ci', 'complete-lock.mjs');
  await mkdir(join(folder, '.ci'));
  await copyFile(join(root, '.ci', 'complete-lock.mjs'), script);
  const checked = async (packages: object) => {
    await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ packages }));
    const { code, tail } = await runProgram(process.execPath, [script, '--check']);
    return code === 0 ? 'whole' : tail;
  };
  const one = { version: '1.0.0', integrity: 'sha512-AA==' };
  const bound = { ...one, optionalDependencies: { '@a/b-linux-x64-gnu': '1.0.0' } };
  const whole = { '': {}, 'node_modules/a': bound, 'node_modules/@a/b-linux-x64-gnu': one };
  expect(await checked(whole)).toBe('whole');
  const bare = { ...whole, 'node_modules/@a/b-linux-x64-gnu': { version: '1.0.0' } };
  expect(await checked(bare)).toContain('lacks the integrity of node_modules/@a/b-linux-x64-gnu');
  expect(await checked({ '': {}, 'node_modules/a': bound })).toContain('lacks @a/b-linux-x64-gnu@1.0.0');
  const named = { ...whole, 'node_modules/a': { ...bound, resolved: 'https://registry/a.tgz' } };
  expect(await checked(named)).toContain('1 entries name the registry');
});
