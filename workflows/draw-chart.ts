/**
 * `npm run chart`: writes the run chart as data for the UI and as an image for the docs, both read off the machine.
 * `--check` only says whether they are up to date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { instance } from '@viz-js/viz';
import type { ChartGraph, ChartNode } from '../contracts/chart-graph.ts';
import { graphOf } from './chart-graph.ts';
import { runChart } from './run-chart.ts';

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
/** Inner states that say more about the machine than about a run: drawn as one with the state around them. */
const folded = /^(training\.sessions\.(?:acquiring|pausing))\..*/;

/** In Graphviz's language. Arrows between states that are drawn as one are left out; so is the keeper's inside. */
export function dot({ nodes, edges }: ChartGraph): string {
  const lines = [
    'digraph run {',
    '  rankdir=LR; compound=true; nodesep=0.25; ranksep=0.55; bgcolor="white";',
    '  node [shape=box, style="rounded,filled", fillcolor="#eef2ff", color="#4f46e5", fontname="Helvetica", fontsize=11];',
    '  edge [color="#64748b", fontname="Helvetica", fontsize=9, fontcolor="#334155"]; fontname="Helvetica"; fontsize=13;',
  ];
  const shown = (node: ChartNode) => !folded.test(node.id);
  const isGroup = (node: ChartNode) => nodes.some((child) => child.parent === node.id && shown(child));
  const draw = (parent: string | null, indent: string) => {
    for (const node of nodes.filter((candidate) => candidate.parent === parent && shown(candidate))) {
      if (!isGroup(node)) {
        const activity = node.activity ? `\\n${node.activity}` : '';
        lines.push(
          `${indent}"${node.id}" [label="${node.label}${activity}"${node.kind === 'final' ? ', peripheries=2' : ''}];`,
        );
        continue;
      }
      lines.push(`${indent}subgraph "cluster_${node.id}" {`);
      lines.push(
        `${indent}  label="${node.label}"; style="rounded,filled"; color="#a5b4fc"; fillcolor="${node.parent ? '#ffffff' : '#f8fafc'}";`,
      );
      draw(node.id, `${indent}  `);
      lines.push(`${indent}}`);
    }
  };
  draw(null, '  ');
  lines.push(...arrows({ nodes, edges }, isGroup), '}');
  return lines.join('\n');
}

function arrows({ nodes, edges }: ChartGraph, isGroup: (node: ChartNode) => boolean): string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** An arrow to a group ends at its border, and needs a node inside to aim at. */
  const end = (id: string): { node: string; group: string | null } => {
    const node = byId.get(id);
    if (!node || !isGroup(node)) return { node: id, group: null };
    const inner = nodes.find((child) => child.parent === id && child.initial);
    return { node: inner ? end(inner.id).node : id, group: id };
  };
  const labels = new Map<string, Set<string>>();
  for (const { from, to, label, guard, kind } of edges) {
    if (from === '') continue;
    const [a, b] = [end(from.replace(folded, '$1')), end(to.replace(folded, '$1'))];
    if (a.node === b.node) continue;
    const tail = a.group ? `, ltail="cluster_${a.group}"` : '';
    const head = b.group ? `, lhead="cluster_${b.group}"` : '';
    const key = `"${a.node}" -> "${b.node}" [${tail}${head}`;
    const answer = kind === 'done' ? '' : kind === 'error' ? 'error' : label;
    labels.set(key, (labels.get(key) ?? new Set()).add([answer, guard && `[${guard}]`].filter(Boolean).join(' ')));
  }
  return [...labels].map(([key, texts]) =>
    `  ${key}, label="${[...texts].filter(Boolean).join('\\n')}"];`.replace('[, ', '['),
  );
}

export async function chartFiles(): Promise<{ path: string; content: string }[]> {
  const graph = graphOf(runChart);
  const data = [
    '/** Made by `npm run chart` from `workflows/run-chart.ts`: do not edit. */',
    "import type { ChartGraph } from './chart-graph.ts';",
    '',
    `export const runChartGraph: ChartGraph = ${JSON.stringify(graph, null, 2)};`,
    '',
  ].join('\n');
  const svg = (await instance()).renderString(dot(graph), { format: 'svg' });
  return [
    { path: at('contracts/run-chart-graph.ts'), content: data },
    { path: at('docs/images/run-chart.svg'), content: svg },
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, content } of await chartFiles()) {
    const same = existsSync(path) && readFileSync(path, 'utf8') === content;
    if (!same && process.argv.includes('--check')) {
      process.stderr.write(`${path} is not what the machine says: run \`npm run chart\`\n`);
      process.exitCode = 1;
    } else if (!same) writeFileSync(path, content);
  }
}
