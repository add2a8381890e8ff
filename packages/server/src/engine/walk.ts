import type { Plan } from '#engine/workflow-plan';

/**
 * Where a run stands in its graph. An edge is open, taken or dead; a node whose in-edges are all dead is dead and
 * kills its own out-edges, so no join can wait for something that will never come (the dead-path rule).
 *
 * The walk knows nothing of time, storage or nodes: it is told which node left by which port, and says which
 * nodes may start. The same outcomes in any order that respects the edges give the same walk, which is what
 * lets another worker rebuild it from the journal.
 */
export interface Walk {
  readonly plan: Plan;
  readonly state: Uint8Array;
  /** In-edges that are neither taken nor dead. */
  readonly open: Uint16Array;
  readonly taken: Uint16Array;
  /** Nodes that are finished or dead. */
  settled: number;
}

const waiting = 0;
const ready = 1;
const finished = 2;
const dead = 3;

export function beginWalk(plan: Plan): Walk {
  const walk: Walk = {
    plan,
    state: new Uint8Array(plan.nodes.length),
    open: Uint16Array.from(plan.nodes, (node) => node.inEdges),
    taken: new Uint16Array(plan.nodes.length),
    settled: 0,
  };
  walk.state[plan.start] = ready;
  return walk;
}

/** Whether the node was let go and has not finished. */
export function isReady(walk: Walk, node: number): boolean {
  return walk.state[node] === ready;
}

/**
 * Records that a node finished and left by `port` (`undefined`: by none, its out-edges are dead).
 *
 * @returns the nodes that may start now, in the order of the edges
 */
export function leave(walk: Walk, node: number, port: string | undefined): number[] {
  if (walk.state[node] !== ready) return [];
  walk.state[node] = finished;
  walk.settled += 1;
  const started: number[] = [];
  const dying: number[] = [];
  for (const edge of walk.plan.nodes[node]!.out)
    settleEdge(walk, edge.target, edge.port === port, started, dying);
  for (const victim of dying) {
    for (const edge of walk.plan.nodes[victim]!.out) settleEdge(walk, edge.target, false, started, dying);
  }
  return started;
}

function settleEdge(walk: Walk, target: number, isTaken: boolean, started: number[], dying: number[]): void {
  walk.open[target]! -= 1;
  if (isTaken) walk.taken[target]! += 1;
  if (walk.state[target] !== waiting) return;
  const isResolved = walk.open[target] === 0;
  if (walk.taken[target]! > 0 && (isResolved || !walk.plan.nodes[target]!.joins)) {
    walk.state[target] = ready;
    started.push(target);
  } else if (isResolved) {
    walk.state[target] = dead;
    walk.settled += 1;
    dying.push(target);
  }
}
