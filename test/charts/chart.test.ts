/** The chart for six clusters: rendered by helm, and checked against the schemas of Kubernetes. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { runProgram } from '../../worker/run-program.ts';
import { helmProgram, validatorProgram } from './programs.ts';

const chart = fileURLToPath(new URL('../../charts/epochal', import.meta.url));
/** The oldest that the chart supports, and the newest that the validator knows. */
const [oldest, newest] = ['1.25', '1.37'];
const kubernetes = `${oldest}.0`;

let scratch: string;
let helm: string;
let validator: { command: string; args: string[] };

async function must(program: string, args: string[]) {
  const { code, stdout, tail } = await runProgram(program, args, { env: process.env });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${tail}`);
  return stdout;
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'epochal-chart-'));
  helm = await helmProgram();
  validator = await validatorProgram();
}, 1_800_000);
afterAll(() => rm(scratch, { recursive: true, force: true }));

const template = (...args: string[]) =>
  runProgram(helm, ['template', 'try', chart, '--kube-version', kubernetes, ...args], { env: process.env });

interface Rendered {
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks at is checked by its expectation.
  spec: any;
}
async function rendered(...args: string[]): Promise<Rendered[]> {
  const { code, stdout, tail } = await template(...args);
  expect(code, tail).toBe(0);
  return parseAllDocuments(stdout).map((document) => document.toJS());
}
const ofKind = (all: Rendered[], kind: string) => all.filter((one) => one.kind === kind);

const files = (await readdir(join(chart, 'ci'))).map((name) => join(chart, 'ci', name));

test('there are values for six clusters', () => expect(files).toHaveLength(6));

test.each(files)('%s is linted, rendered and valid', async (values) => {
  await must(helm, ['lint', '--strict', chart, '--values', values, '--kube-version', kubernetes]);
  const all = await rendered('--values', values);
  const file = join(scratch, 'rendered.yaml');
  // A resource of the Prometheus operator has its schema there.
  const known = all.filter(({ kind }) => kind !== 'ServiceMonitor');
  await writeFile(file, known.map((one) => JSON.stringify(one)).join('\n---\n'));
  for (const version of [oldest, newest])
    await must(validator.command, [...validator.args, '--strict', '--kubernetes-version', version, file]);

  for (const { kind, spec } of all.filter(({ kind }) => ['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind))) {
    const pod = spec.template.spec;
    expect(pod.securityContext, kind).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
    expect(pod.automountServiceAccountToken, kind).toBe(false);
    expect(pod.enableServiceLinks, kind).toBe(false);
    for (const container of pod.containers) {
      expect(container.securityContext, kind).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      // Each folder that is written is a volume, and each mount has one.
      const mounts = container.volumeMounts.map((mount: { mountPath: string }) => mount.mountPath);
      expect(mounts, kind).toEqual(expect.arrayContaining(['/data', '/cache', '/tmp', '/run/secrets']));
      const volumes = [
        ...(pod.volumes ?? []),
        ...(spec.volumeClaimTemplates ?? []).map((one: Rendered) => one.metadata),
      ];
      for (const { name } of container.volumeMounts) expect(volumes.map((one) => one.name)).toContain(name);
      // Secrets are files alone.
      const names = container.env.map((one: { name: string }) => one.name);
      expect(names.filter((name: string) => /TOKEN|SECRET|PASSWORD|KEY/.test(name))).toEqual([]);
      const store = container.env.find((one: { name: string }) => one.name === 'EPOCHAL_STORE')?.value;
      if (store?.startsWith('/'))
        expect(mounts.some((mount: string) => `${store}/`.startsWith(`${mount}/`))).toBe(true);
    }
  }
  const policies = ofKind(all, 'NetworkPolicy');
  expect(policies.map(({ metadata }) => metadata.name)).toEqual(['try-epochal-agent', 'try-epochal-server']);
  expect(policies[0]?.spec.ingress).toEqual([]);
});

test('what is off is not there', async () => {
  const kinds = (await rendered()).map(({ kind }) => kind);
  for (const kind of ['ServiceMonitor', 'Ingress']) expect(kinds).not.toContain(kind);
  const bare = ['networkPolicies.enabled', 'server.podDisruptionBudget.enabled', 'agents.podDisruptionBudget.enabled'];
  const left = (await rendered(...bare.flatMap((name) => ['--set', `${name}=false`]))).map(({ kind }) => kind);
  for (const kind of ['NetworkPolicy', 'PodDisruptionBudget']) expect(left).not.toContain(kind);
});

test('an ingress keeps a browser at the server that it signed in at', async () => {
  const on = ['server.ingress.enabled=true', 'server.ingress.host=epochal.example.com'];
  const sticky = 'server.service.annotations.traefik\\.ingress\\.kubernetes\\.io/service\\.sticky\\.cookie=true';
  const all = await rendered(...on.flatMap((value) => ['--set', value]), '--set-string', sticky);
  const annotations = (kind: string) => ofKind(all, kind).map(({ metadata }) => metadata.annotations);
  expect(annotations('Ingress')).toEqual([{ 'nginx.ingress.kubernetes.io/affinity': 'cookie' }]);
  expect(annotations('Service')).toContainEqual({ 'traefik.ingress.kubernetes.io/service.sticky.cookie': 'true' });
});

test("the cloud's metadata is reached by agents that listen for a spot notice, and by no others", async () => {
  const about = async (...args: string[]) => {
    const all = await rendered(...args);
    const [agent] = ofKind(all, 'StatefulSet');
    const [policy] = ofKind(all, 'NetworkPolicy');
    const spot = agent?.spec.template.spec.containers[0].env.filter(
      (one: { name: string }) => one.name === 'EPOCHAL_SPOT',
    );
    const opened = policy?.spec.egress.filter((one: object) => JSON.stringify(one).includes('169.254.169.254/32'));
    return { spot, opened };
  };
  expect(await about()).toEqual({ spot: [], opened: [] });
  expect(await about('--set', 'agents.spot=ec2')).toEqual({
    spot: [{ name: 'EPOCHAL_SPOT', value: 'ec2' }],
    opened: [{ to: [{ ipBlock: { cidr: '169.254.169.254/32' } }], ports: [{ port: 80 }] }],
  });
});

test.each([
  ['a value that nobody knows', 'agents.replica=3', 'replica'],
  ['a kind that there is not', 'agents.kind=Deployment', 'kind'],
  ['a cloud that nobody knows', 'agents.spot=aws', 'spot'],
  ['an address without a port', 'temporal.address=temporal', 'address'],
  [
    'a time in which no trainer can checkpoint',
    'agents.terminationGracePeriodSeconds=5',
    'terminationGracePeriodSeconds',
  ],
  ['several agents without a store that all reach', 'agents.replicas=2', 'several agents need a store'],
])('refuses %s', async (_, set, said) => {
  const { code, tail } = await template('--set', set);
  expect(code).not.toBe(0);
  expect(tail).toContain(said);
});
