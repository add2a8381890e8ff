import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRegistry } from '#engine/nodes/index';
import { builtInNodes } from '#engine/nodes/index';
import { done, nodeType } from '#engine/nodes/node-type';
import { beginWalk, leave, readyNodes, type Walk } from '#engine/plan/walk';
import { planWorkflow, type Plan } from '#engine/plan/workflow-plan';
import { emptyWorkflowDocument } from '#domain/workflow-document';
import { z } from 'zod';

const join = nodeType({
  type: 'join',
  label: 'Join',
  group: 'control',
  help: 'Waits for all.',
  effect: 'none',
  fields: {},
  settings: z.unknown(),
  joins: true,
  run: () => done(null),
});
const registry = nodeRegistry([...builtInNodes.values(), join]);

interface Graph {
  readonly edges: readonly (readonly [number, number, string?])[];
  readonly joins?: readonly number[];
}

function planOf({ edges, joins = [] }: Graph, size: number): Plan {
  const ids = Array.from({ length: size }, (_, index) => String(index + 1));
  return planWorkflow(
    {
      ...emptyWorkflowDocument(),
      nodes: ids.map((id, index) => ({
        id,
        name: id,
        data: {},
        node_type: index === 0 ? 'start' : joins.includes(index) ? 'join' : 'http',
      })),
      edges: edges.map(([from, to, port]) => ({
        source: ids[from]!,
        target: ids[to]!,
        ...(port === undefined ? {} : { source_handle: port }),
      })),
    },
    registry,
  );
}

/** Runs a walk to its end; `portOf` says how each node leaves, `pick` which of the ready ones finishes next. */
function walkThrough(
  plan: Plan,
  portOf: (id: string) => string | undefined,
  pick: (ready: string[]) => number,
  onStart: (id: string, walk: Walk) => void = () => {},
): { walk: Walk; ran: string[] } {
  const walk = beginWalk(plan);
  const ready = [plan.nodes[plan.start]!.id];
  const ran: string[] = [];
  while (ready.length > 0) {
    const [id] = ready.splice(pick(ready), 1);
    ran.push(id!);
    const node = plan.nodes.find((candidate) => candidate.id === id)!;
    for (const started of leave(walk, node.index, portOf(id!))) {
      onStart(plan.nodes[started]!.id, walk);
      ready.push(plan.nodes[started]!.id);
    }
  }
  return { walk, ran };
}

test('a rule sends the flow one way, and the other way is dead down to the join', () => {
  const plan = planOf(
    {
      edges: [
        [0, 1],
        [1, 2, 'true'],
        [1, 3, 'false'],
        [2, 4],
        [3, 4],
      ],
      joins: [4],
    },
    5,
  );
  const { ran, walk } = walkThrough(
    plan,
    (id) => (id === '2' ? 'true' : 'next'),
    () => 0,
  );
  assert.deepEqual(ran, ['1', '2', '3', '5']);
  assert.equal(walk.settled, 5);
});

test('a plain node behind two branches runs once, on the first that arrives', () => {
  const plan = planOf(
    {
      edges: [
        [0, 1],
        [0, 2],
        [1, 3],
        [2, 3],
      ],
    },
    4,
  );
  const { ran } = walkThrough(
    plan,
    () => 'next',
    () => 0,
  );
  assert.deepEqual(ran, ['1', '2', '3', '4']);
});

test('a join behind two branches runs after both', () => {
  const plan = planOf(
    {
      edges: [
        [0, 1],
        [0, 2],
        [1, 3],
        [2, 3],
      ],
      joins: [3],
    },
    4,
  );
  assert.deepEqual(
    walkThrough(
      plan,
      () => 'next',
      (ready) => ready.length - 1,
    ).ran,
    ['1', '3', '2', '4'],
  );
});

test('nodes that Start cannot reach are no part of the plan and hold nothing up', () => {
  const plan = planOf(
    {
      edges: [
        [0, 1],
        [2, 1],
      ],
      joins: [1],
    },
    3,
  );
  assert.equal(plan.nodes.length, 2);
  assert.deepEqual(
    walkThrough(
      plan,
      () => 'next',
      () => 0,
    ).ran,
    ['1', '2'],
  );
});

test('a node that was replayed already is not started a second time', () => {
  const plan = planOf({ edges: [[0, 1]] }, 2);
  const walk = beginWalk(plan);
  assert.deepEqual(leave(walk, plan.start, 'next'), [1]);
  assert.deepEqual(leave(walk, plan.start, 'next'), []);
  assert.deepEqual(readyNodes(walk), [1]);
});

test('in every graph of four nodes, however its nodes leave and in whatever order, all settle and joins wait', () => {
  const size = 4;
  const pairs = Array.from({ length: size }, (_, from) =>
    Array.from({ length: size - from - 1 }, (_unused, step) => [from, from + step + 1] as const),
  ).flat();
  const bits = (mask: number, count: number) =>
    Array.from({ length: count }, (_, bit) => bit).filter((bit) => (mask & (1 << bit)) !== 0);
  let graphs = 0;
  for (let edgeMask = 0; edgeMask < 1 << pairs.length; edgeMask += 1) {
    const edges = bits(edgeMask, pairs.length).map((bit) => pairs[bit]!);
    for (let joinMask = 0; joinMask < 1 << size; joinMask += 2) {
      const plan = planOf({ edges, joins: bits(joinMask, size) }, size);
      for (let leaving = 0; leaving < 1 << size; leaving += 1) {
        graphs += 1;
        check(plan, edges, (id) => ((leaving & (1 << (Number(id) - 1))) !== 0 ? 'next' : undefined));
      }
    }
  }
  assert.equal(graphs, 64 * 8 * 16);
});

function check(
  plan: Plan,
  edges: readonly (readonly [number, number])[],
  portOf: (id: string) => string | undefined,
): void {
  // What must run, by definition: start, and whatever has an edge taken from a node that runs.
  const expected = new Set(['1']);
  for (const id of expected) {
    if (portOf(id) === undefined) continue;
    for (const [from, to] of edges) if (from === Number(id) - 1) expected.add(String(to + 1));
  }
  for (const pick of [() => 0, (ready: string[]) => ready.length - 1]) {
    const settledIds = new Set<string>();
    const { walk, ran } = walkThrough(plan, portOf, pick, (id, now) => {
      const node = plan.nodes.find((candidate) => candidate.id === id)!;
      if (node.joins) assert.equal(now.open[node.index], 0, `join ${id} started before its last in-edge`);
      assert.ok(!settledIds.has(id), `node ${id} started twice`);
      settledIds.add(id);
    });
    assert.deepEqual([...ran].sort(), [...expected].sort());
    assert.equal(walk.settled, plan.nodes.length, 'some node never settled');
  }
}
