/** The life of a run as its chart draws it, with where it is now and how long it was where. */
import { useMemo } from 'react';
import type { ChartGraph } from '../../../contracts/chart-graph.ts';
import type { RunView } from '../../../contracts/run-messages.ts';
import { formatSeconds } from '../formatting.ts';
import { type Arrow, type Box, drawChart, type Point } from './chart-layout.ts';

interface StateChartProps {
  graph: ChartGraph;
  view: RunView;
  /** Seconds in each state of the first level, the present one included. */
  seconds: Readonly<Record<string, number>>;
}

export function StateChart({ graph, view, seconds }: StateChartProps) {
  const drawing = useMemo(() => drawChart(graph), [graph]);
  const lit = useMemo(() => litNodes(graph, view.detail, view.state), [graph, view.detail, view.state]);
  const told = Object.entries(seconds)
    .map(([state, spent]) => `${state} ${formatSeconds(spent)}`)
    .join(', ');
  const margin = 6;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
    <section className="chart-scroll" aria-label="Chart of the run" tabIndex={0}>
      <svg
        className="chart"
        role="img"
        aria-label={`Now in ${view.detail}. Time spent: ${told}.`}
        viewBox={`${-margin} ${-margin} ${drawing.width + 2 * margin} ${drawing.height + 2 * margin}`}
        width={drawing.width + 2 * margin}
        style={{
          maxWidth: '100%',
          minWidth: Math.min(760, drawing.width),
          height: 'auto',
          display: 'block',
          margin: '0 auto',
        }}
      >
        <defs>
          <marker id="chart-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0.5 8 4 0 7.5z" className="edge-head" />
          </marker>
        </defs>
        {drawing.boxes.map((box) => (
          <StateBox
            key={box.node.id}
            box={box}
            isLit={lit.has(box.node.id)}
            seconds={box.node.parent === null ? seconds[box.node.id] : undefined}
          />
        ))}
        {drawing.arrows.map((arrow) => (
          <StateArrow key={`${arrow.from} ${arrow.to}`} arrow={arrow} />
        ))}
      </svg>
    </section>
  );
}

/** The node that the view's detail names, and those around it. */
function litNodes({ nodes }: ChartGraph, detail: string, state: string): ReadonlySet<string> {
  const parents = new Map(nodes.map(({ id, parent }) => [id, parent]));
  const named =
    nodes.find((node) => node.detail === detail && node.kind !== 'parallel') ?? nodes.find(({ id }) => id === state);
  const lit = new Set<string>();
  for (let at: string | null | undefined = named?.id; at; at = parents.get(at)) lit.add(at);
  return lit;
}

function StateBox({ box, isLit, seconds }: { box: Box; isLit: boolean; seconds: number | undefined }) {
  const { node, x, y, width, height, depth, isLeaf } = box;
  const isTop = node.parent === null;
  const classes = [
    'box',
    isLeaf ? 'leaf' : '',
    depth > 0 && !isLeaf ? 'inner' : '',
    isLit ? 'lit' : '',
    seconds !== undefined ? 'visited' : '',
  ];
  const solid = isLit && isLeaf;
  return (
    <g data-state={node.id} data-lit={isLit || undefined}>
      <title>{node.activity ? `${node.id}: ${node.activity}` : node.id}</title>
      <rect
        className={classes.join(' ')}
        x={x}
        y={y}
        width={width}
        height={height}
        rx={isTop ? 10 : 7}
        strokeDasharray={node.kind === 'compound' && depth === 1 && !isLit ? '4 3' : undefined}
      />
      {node.kind === 'final' && (
        <rect className="edge" x={x + 3} y={y + 3} width={width - 6} height={height - 6} rx={isTop ? 7 : 5} />
      )}
      <text
        x={x + width / 2}
        y={isTop && isLeaf && seconds === undefined ? y + height / 2 + 5 : y + 20}
        textAnchor="middle"
        fontSize={isTop ? 14 : 12.5}
        fontWeight={isTop ? 650 : isLit ? 600 : 450}
        className={solid ? 'on-lit' : undefined}
      >
        {node.label}
      </text>
      {isTop && (
        <text
          x={x + width / 2}
          y={y + 36}
          textAnchor="middle"
          className={solid ? 'time figures on-lit' : 'time figures'}
        >
          {seconds === undefined ? '' : formatSeconds(seconds)}
        </text>
      )}
    </g>
  );
}

function StateArrow({ arrow }: { arrow: Arrow }) {
  const label = arrow.labels.join(', ');
  const path = arrow.depth === 0 ? corneredPath(arrow.points) : curvedPath(arrow.points);
  return (
    <g>
      <title>{label || 'at once'}</title>
      <path d={path} className="edge" markerEnd="url(#chart-arrow)" />
      {/* Something wide to point at. */}
      <path d={path} fill="none" stroke="transparent" strokeWidth={10} />
    </g>
  );
}

const cornerRadius = 14;

/** Along straight lines, with round corners: between the states of the first level, past the others. */
function corneredPath(points: readonly Point[]): string {
  const towards = (from: Point, to: Point): Point => {
    const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
    const part = Math.min(cornerRadius, length / 2) / length;
    return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
  };
  return points
    .map((point, index) => {
      const [before, next] = [points[index - 1], points[index + 1]];
      if (!before) return `M${point.x} ${point.y}`;
      if (!next) return `L${point.x} ${point.y}`;
      const [into, out] = [towards(point, before), towards(point, next)];
      return `L${into.x} ${into.y}Q${point.x} ${point.y} ${out.x} ${out.y}`;
    })
    .join('');
}

/** A smooth line by the points. */
function curvedPath(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) return '';
  let path = `M${first.x} ${first.y}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    path += next
      ? `Q${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}`
      : `L${point.x} ${point.y}`;
  });
  return path;
}
