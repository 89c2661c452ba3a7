/** Writes the chart of a run as data for whoever draws it. Run it after a change of the chart; a test says when. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chartGraph } from '../workflows/chart-graph.ts';
import { runChart } from '../workflows/run-chart.ts';
import { chartPosition } from '../workflows/run-view.ts';

const file = fileURLToPath(new URL('../contracts/run-chart-graph.ts', import.meta.url));
const graph = chartGraph(runChart, (value) => chartPosition(value).detail);
writeFileSync(
  file,
  `/** The chart of a run. Written by launch/write-chart-graph.ts from the machine in workflows/run-chart.ts: do not edit. */
import type { ChartGraph } from './chart-graph.ts';

export const runChartGraph: ChartGraph = ${JSON.stringify(graph, null, 2)};
`,
);
execFileSync(fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url)), ['check', '--write', file], { stdio: 'inherit' });
