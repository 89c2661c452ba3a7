/** The drawn chart is the machine: data and image are what `npm run chart` would write now. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { chartGraphSchema } from '../../contracts/chart-graph.ts';
import { runChartGraph } from '../../contracts/run-chart-graph.ts';
import { chartFiles } from '../../workflows/draw-chart.ts';

it('is up to date with the machine', async () => {
  for (const { path, content } of await chartFiles()) expect(await readFile(path, 'utf8'), path).toBe(content);
});

it('has every arrow end in a state that is drawn', () => {
  const { nodes, edges } = chartGraphSchema.parse(runChartGraph);
  const ids = new Set(nodes.map(({ id }) => id));
  for (const { from, to } of edges) {
    if (from !== '') expect(ids).toContain(from);
    expect(ids).toContain(to);
  }
});
