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

/** The states that are shown: those inside a state that a run's view tells as one are left out. */
function shownNodes({ nodes }: ChartGraph): ChartNode[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return nodes.filter((node) => {
    for (let at = byId.get(node.parent ?? ''); at; at = byId.get(at.parent ?? '')) {
      if (at.detail !== null && at.kind !== 'parallel' && at.detail === node.detail && at.parent !== null) return false;
    }
    return true;
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
    const flat = new graphlib.Graph({ multigraph: true });
    flat.setGraph({ rankdir: depth === 0 ? 'LR' : 'TB', nodesep: 18, ranksep: depth === 0 ? 56 : 26, edgesep: 10 });
    flat.setDefaultEdgeLabel(() => ({}));
    const header = (node: ChartNode) => (node.parent === null ? topHeaderHeight : headerHeight);
    for (const node of children) {
      const content = inside.get(node.id);
      const own = Math.max(64, node.label.length * 7.4 + 26);
      flat.setNode(
        node.id,
        content && content.boxes.length > 0
          ? {
              width: Math.max(own, content.width + 2 * padding),
              height: content.height + header(node) + padding,
            }
          : { width: own, height: header(node) },
      );
    }
    const arrows = arrowsIn.get(parent) ?? [];
    for (const { from, to } of arrows) flat.setEdge(from, to, {}, `${from} ${to}`);
    layout(flat);

    const boxes: Box[] = [];
    const lines: Arrow[] = [];
    for (const node of children) {
      const at = flat.node(node.id);
      const [left, top] = [at.x - at.width / 2, at.y - at.height / 2];
      const content = inside.get(node.id);
      const isLeaf = !content || content.boxes.length === 0;
      boxes.push({ node, x: left, y: top, width: at.width, height: at.height, depth, isLeaf });
      if (!content || isLeaf) continue;
      const shiftX = left + (at.width - content.width) / 2;
      const shiftY = top + header(node);
      boxes.push(...content.boxes.map((box) => ({ ...box, x: box.x + shiftX, y: box.y + shiftY })));
      lines.push(
        ...content.arrows.map((arrow) => ({
          ...arrow,
          points: arrow.points.map(({ x, y }) => ({ x: x + shiftX, y: y + shiftY })),
        })),
      );
    }
    for (const { from, to, labels } of arrows) {
      const { points } = flat.edge(from, to, `${from} ${to}`);
      lines.push({ from, to, labels, depth, points: points ?? [] });
    }
    const { width = 0, height = 0 } = flat.graph();
    return { width: children.length ? width : 0, height: children.length ? height : 0, boxes, arrows: lines };
  };
  return place(null, 0);
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
