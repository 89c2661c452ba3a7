/** What is in `deploy/` for Prometheus and Grafana, against the metrics that there are. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { hasPromtool, promtool } from '../support/metrics.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (...path: string[]) => readFile(join(root, ...path), 'utf8');

/** As they are written in the code. What only a test of ours defines has no other prefix. */
async function defined(): Promise<Set<string>> {
  const [runs, server, host] = await Promise.all([
    text('server', 'workflows', 'run-metrics.ts'),
    text('server', 'metrics.ts'),
    text('worker', 'host-metrics.ts'),
  ]);
  const whole = [...`${runs}${host}`.matchAll(/'(epochal_[a-z_]+)'/g)].map(([, name = '']) => name);
  const gauges = [...server.matchAll(/gauge\('([a-z_]+)'/g)].map(([, name]) => `epochal_${name}`);
  return new Set([...whole, ...gauges]);
}

const named = (expression: string) =>
  [...expression.matchAll(/epochal_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, ''));

const dashboardSchema = z.looseObject({
  panels: z.array(z.looseObject({ targets: z.array(z.looseObject({ expr: z.string() })).default([]) })),
});
const rulesSchema = z.object({
  groups: z.array(z.looseObject({ rules: z.array(z.looseObject({ alert: z.string(), expr: z.string() })) })),
});

it('asks for metrics that there are, and docs tell of all of them', async () => {
  const names = await defined();
  expect(names.size).toBeGreaterThan(15);
  const { panels } = dashboardSchema.parse(JSON.parse(await text('deploy', 'grafana', 'epochal.json')));
  const { groups } = rulesSchema.parse(parse(await text('deploy', 'prometheus', 'epochal-alerts.yml')));
  const expressions = [
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ];
  expect(expressions.flatMap(named).filter((name) => !names.has(name))).toEqual([]);
  const docs = await text('docs', 'observability.md');
  expect([...names].filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
});

// Debian's package `prometheus` has it; CI installs that.
it.skipIf(!hasPromtool)('holds before promtool: rules, their tests, the example, what the dashboard asks', async () => {
  const cwd = join(root, 'deploy', 'prometheus');
  await promtool(['check', 'rules', 'epochal-alerts.yml'], { cwd });
  await promtool(['test', 'rules', 'epochal-alerts.test.yml'], { cwd });
  await promtool(['check', 'config', '--syntax-only', 'prometheus.yml'], { cwd });
  const { panels } = dashboardSchema.parse(JSON.parse(await text('deploy', 'grafana', 'epochal.json')));
  // As rules, since those are what it reads; Grafana puts its own values in the place of these names.
  const rules = panels.flatMap(({ targets }) =>
    targets.map(({ expr }) => ({ record: 'asked', expr: expr.replaceAll(/\$__\w+/g, '5m').replaceAll('$pool', '.*') })),
  );
  const file = join(await mkdtemp(join(tmpdir(), 'epochal-rules-')), 'rules.yml');
  await writeFile(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
  await promtool(['check', 'rules', '--lint=none', file], { cwd });
  await rm(dirname(file), { recursive: true });
});
