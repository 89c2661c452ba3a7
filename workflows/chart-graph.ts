/** A chart as nodes and edges, read off the machine itself, so that no drawing of it can be out of date. Pure. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import type { ChartEdge, ChartGraph, ChartNode } from '../contracts/chart-graph.ts';

/** In the order of the machine. Edges that start at the machine itself, from any state, are `from` the empty id. */
export function graphOf(machine: AnyStateMachine): ChartGraph {
  const nodes: ChartNode[] = [];
  const edges: ChartEdge[] = [];
  const visit = (node: AnyStateNode) => {
    edges.push(...edgesOf(node));
    for (const child of Object.values(node.states)) {
      nodes.push(nodeOf(child));
      visit(child);
    }
  };
  visit(machine.root);
  return { nodes, edges };
}

const idOf = (node: AnyStateNode) => node.path.join('.');

function nodeOf(node: AnyStateNode): ChartNode {
  const { parent } = node;
  return {
    id: idOf(node),
    parent: parent && parent.path.length > 0 ? idOf(parent) : null,
    label: node.key,
    kind: node.type === 'history' ? 'atomic' : node.type,
    initial: parent?.type === 'parallel' || parent?.config.initial === node.key,
    detail: detailOf(node),
    activity: node.invoke[0] ? String(node.invoke[0].src) : null,
  };
}

/** As `chartPosition` names it: the state and one step into it; of `training`, into its sessions. */
function detailOf({ path, type }: AnyStateNode): string | null {
  const [state, inner, part] = path;
  if (path.length === 1) return type === 'final' || type === 'atomic' ? (state ?? null) : null;
  if (state === 'training' && inner !== 'sessions') return null;
  if (path.length === 2) return `${state}.${inner}`;
  return path.length === 3 && state === 'training' ? `${state}.${part}` : null;
}

function edgesOf(node: AnyStateNode): ChartEdge[] {
  const transitions = [...node.transitions.values()].flat().concat(node.always ?? []);
  return transitions.flatMap(({ eventType, target, guard }) =>
    (target ?? []).map((to) => ({ from: idOf(node), to: idOf(to), ...labelOf(eventType), guard: guardName(guard) })),
  );
}

function labelOf(eventType: string): Pick<ChartEdge, 'label' | 'kind'> {
  if (eventType === '') return { label: '', kind: 'always' };
  if (eventType.startsWith('xstate.done.state.')) return { label: 'done', kind: 'done' };
  const [, kind, name = ''] = /^xstate\.(done|error)\.actor\.(.+)$/.exec(eventType) ?? [];
  if (kind === 'done' || kind === 'error') return { label: `${name} ${kind}`, kind };
  const [, delay] = /^xstate\.after\.([^.]+)/.exec(eventType) ?? [];
  return delay === undefined ? { label: eventType, kind: 'event' } : { label: `after ${delay}`, kind: 'after' };
}

function guardName(guard: unknown): string | null {
  if (guard === undefined || guard === null) return null;
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'object' && 'type' in guard) return String(guard.type);
  // `and` and `not` are functions that carry the guards they are made of.
  if (typeof guard !== 'function' || !('guards' in guard) || !Array.isArray(guard.guards)) return null;
  const parts = guard.guards.map(guardName);
  return guard.guards.length === 1 ? `not ${parts[0]}` : parts.join(' and ');
}
