/**
 * Places the nodes of a chart. Each compound is laid out by itself, from the inside out; an arrow between the insides
 * of two states is drawn between the states themselves, at the level where they are siblings. Pure.
 */
import { graphlib, layout } from '@dagrejs/dagre';
import type { ChartGraph, ChartNode } from '../../../contracts/chart-graph.ts';

export interface Point {
  x: number;
  y: number;
}

export interface Box extends Point {
  node: ChartNode;
  width: number;
  height: number;
  depth: number;
  isLeaf: boolean;
}

export interface Arrow {
  from: string;
  to: string;
  points: Point[];
  labels: string[];
  depth: number;
}

export interface ChartDrawing {
  width: number;
  height: number;
  boxes: Box[];
  arrows: Arrow[];
}

const headerHeight = 30;
const topHeaderHeight = 46;
const padding = 14;
/** Between the states of the first level. */
const rowGap = 46;

/** The states that are shown: steps inside one that a run's view tells as a whole are left out. */
function shownNodes({ nodes }: ChartGraph): ChartNode[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = (node: ChartNode) => byId.get(node.parent ?? '');
  return nodes.filter((node) => {
    const parent = parentOf(node);
    if (!parent || node.detail !== null || parent.detail === null) return true;
    return parentOf(parent)?.kind === 'parallel';
  });
}

export function drawChart(graph: ChartGraph): ChartDrawing {
  const nodes = shownNodes(graph);
  const childrenOf = new Map<string | null, ChartNode[]>();
  for (const node of nodes) childrenOf.set(node.parent, [...(childrenOf.get(node.parent) ?? []), node]);
  const shown = new Set(nodes.map(({ id }) => id));
  const parents = new Map(graph.nodes.map(({ id, parent }) => [id, parent]));
  const arrowsIn = liftedArrows(graph, parents, shown);

  const place = (parent: string | null, depth: number): ChartDrawing => {
    const children = childrenOf.get(parent) ?? [];
    const inside = new Map(children.map(({ id }) => [id, place(id, depth + 1)]));
    const sizes = new Map(children.map((node) => [node.id, sizeOf(node, inside.get(node.id))]));
    const arrows = arrowsIn.get(parent) ?? [];
    const placed = parent === null ? inARow(children, sizes, arrows) : inLayers(children, sizes, arrows);

    const boxes: Box[] = [];
    const lines = placed.arrows.map((arrow) => ({ ...arrow, depth }));
    for (const node of children) {
      const { x, y } = placed.corners.get(node.id) ?? { x: 0, y: 0 };
      const size = sizes.get(node.id) ?? { width: 0, height: 0 };
      const content = inside.get(node.id);
      const isLeaf = !content || content.boxes.length === 0;
      boxes.push({ node, x, y, ...size, depth, isLeaf });
      if (!content || isLeaf) continue;
      const shift = { x: x + (size.width - content.width) / 2, y: y + headerOf(node) };
      boxes.push(...content.boxes.map((box) => ({ ...box, ...moved(box, shift) })));
      lines.push(...content.arrows.map((arrow) => ({ ...arrow, points: arrow.points.map((at) => moved(at, shift)) })));
    }
    return { width: placed.width, height: placed.height, boxes, arrows: lines };
  };
  return place(null, 0);
}

interface Size {
  width: number;
  height: number;
}

interface Placed extends Size {
  /** Upper left corners. */
  corners: Map<string, Point>;
  arrows: (LiftedArrow & { points: Point[] })[];
}

const moved = ({ x, y }: Point, by: Point): Point => ({ x: x + by.x, y: y + by.y });

const headerOf = (node: ChartNode) => (node.parent === null ? topHeaderHeight : headerHeight);

function sizeOf(node: ChartNode, content: ChartDrawing | undefined): Size {
  const own = Math.max(64, node.label.length * 7.4 + 26, node.parent === null ? 96 : 0);
  if (!content || content.boxes.length === 0) return { width: own, height: headerOf(node) };
  return { width: Math.max(own, content.width + 2 * padding), height: content.height + headerOf(node) + padding };
}

/** The life of a run from left to right; an arrow that leaves states out goes below them. */
function inARow(children: ChartNode[], sizes: ReadonlyMap<string, Size>, arrows: LiftedArrow[]): Placed {
  const tallest = Math.max(0, ...[...sizes.values()].map(({ height }) => height));
  const corners = new Map<string, Point>();
  const order = new Map(children.map(({ id }, index) => [id, index]));
  let right = 0;
  for (const { id } of children) {
    const { width, height } = sizes.get(id) ?? { width: 0, height: 0 };
    corners.set(id, { x: right, y: (tallest - height) / 2 });
    right += width + rowGap;
  }
  const boxOf = (id: string) => ({
    ...(corners.get(id) ?? { x: 0, y: 0 }),
    ...(sizes.get(id) ?? { width: 0, height: 0 }),
  });
  let below = tallest;
  const drawn = arrows.map((arrow) => {
    const [from, to] = [boxOf(arrow.from), boxOf(arrow.to)];
    const middle = tallest / 2;
    if ((order.get(arrow.to) ?? 0) - (order.get(arrow.from) ?? 0) === 1)
      return {
        ...arrow,
        points: [
          { x: from.x + from.width, y: middle },
          { x: to.x, y: middle },
        ],
      };
    below += 18;
    const [start, end] = [from.x + from.width / 2, to.x + to.width / 2];
    return {
      ...arrow,
      points: [
        { x: start, y: from.y + from.height },
        { x: start, y: below },
        { x: end, y: below },
        { x: end, y: to.y + to.height },
      ],
    };
  });
  return { width: Math.max(0, right - rowGap), height: below, corners, arrows: drawn };
}

function inLayers(children: ChartNode[], sizes: ReadonlyMap<string, Size>, arrows: LiftedArrow[]): Placed {
  if (children.length === 0) return { width: 0, height: 0, corners: new Map(), arrows: [] };
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 22, ranksep: 30, edgesep: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of children) graph.setNode(id, { ...(sizes.get(id) ?? { width: 64, height: headerHeight }) });
  for (const { from, to } of arrows) graph.setEdge(from, to, {}, `${from} ${to}`);
  layout(graph);
  const pointsOf = ({ from, to }: LiftedArrow): Point[] => graph.edge(from, to, `${from} ${to}`).points ?? [];
  // Arrows may bulge beyond the nodes: there is room for them, too.
  const { width: inner = 0, height = 0 } = graph.graph();
  const all = arrows.flatMap((arrow) => pointsOf(arrow).map(({ x }) => x));
  const left = Math.min(0, ...all);
  const shift = { x: -left, y: 0 };
  const corners = new Map(
    children.map(({ id }) => {
      const { x, y, width: own, height: tall } = graph.node(id);
      return [id, moved({ x: x - own / 2, y: y - tall / 2 }, shift)];
    }),
  );
  const drawn = arrows.map((arrow) => ({ ...arrow, points: pointsOf(arrow).map((point) => moved(point, shift)) }));
  return { width: Math.max(inner, ...all) - left, height, corners, arrows: drawn };
}

interface LiftedArrow {
  from: string;
  to: string;
  labels: string[];
}

/** Arrows by the state in which both of their ends are children. */
function liftedArrows(
  { edges }: ChartGraph,
  parents: ReadonlyMap<string, string | null>,
  shown: ReadonlySet<string>,
): Map<string | null, LiftedArrow[]> {
  const wayUp = (id: string): string[] => {
    const way: string[] = [];
    for (let at: string | null | undefined = id; at; at = parents.get(at)) if (shown.has(at)) way.push(at);
    return way.reverse();
  };
  const found = new Map<string | null, Map<string, LiftedArrow>>();
  for (const { from, to, label, guard } of edges) {
    const [a, b] = [wayUp(from), wayUp(to)];
    let level = 0;
    while (level < a.length && level < b.length && a[level] === b[level]) level++;
    const [start, end] = [a[level], b[level]];
    // Inside of one another, or a loop: nothing to draw between siblings.
    if (start === undefined || end === undefined) continue;
    const parent = level === 0 ? null : (a[level - 1] ?? null);
    const here = found.get(parent) ?? new Map<string, LiftedArrow>();
    found.set(parent, here);
    const arrow = here.get(`${start} ${end}`) ?? { from: start, to: end, labels: [] };
    here.set(`${start} ${end}`, arrow);
    const text = [label, guard ? `[${guard}]` : ''].filter(Boolean).join(' ');
    if (text && !arrow.labels.includes(text)) arrow.labels.push(text);
  }
  return new Map([...found].map(([parent, arrows]) => [parent, [...arrows.values()]]));
}
