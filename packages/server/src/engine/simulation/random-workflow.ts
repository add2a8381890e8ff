import type { Random } from '#engine/simulation/seeded-random';

/** A node as the document has it; what the reference needs to know stands in `data`. */
export interface SimulatedNode {
  readonly id: string;
  readonly node_type: string;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly parent_id?: string;
}

export interface SimulatedEdge {
  readonly source: string;
  readonly target: string;
  readonly source_handle?: string;
}

export interface SimulatedWorkflow {
  readonly nodes: readonly SimulatedNode[];
  readonly edges: readonly SimulatedEdge[];
  /** What rules and conditions look at. */
  readonly payload: Readonly<Record<string, boolean>>;
}

const flags = ['f0', 'f1', 'f2', 'f3'];
/** Sub-flows by what becomes of them; the last two start another one. */
export const subFlows = ['good', 'bad', 'waiting', 'nested', 'nested_bad'] as const;
const deepest = 3;

/**
 * A workflow of rules, merges, loops, try blocks, sub-flows, waits and nodes that act, drawn at random. Everything in
 * it is decided by the payload, so that what should come out can be told beforehand.
 */
export function randomWorkflow(random: Random): SimulatedWorkflow {
  const nodes: SimulatedNode[] = [{ id: '1', node_type: 'start', name: 'Start', data: {} }];
  const edges: SimulatedEdge[] = [];
  const mayTerminate = random.chance(0.1);
  /** Try blocks around that are repeated, innermost last. */
  const repeated: string[] = [];

  function add(node_type: string, data: Record<string, unknown>, parent_id: string | undefined): string {
    const id = String(nodes.length + 1);
    nodes.push({ id, node_type, name: `N${id}`, data, ...(parent_id !== undefined && { parent_id }) });
    return id;
  }

  function connect(source: string, target: string): void {
    const handle = handleOf(nodes.find(({ id }) => id === source)!);
    edges.push({ source, target, ...(handle !== undefined && { source_handle: handle }) });
  }

  /** One of the ways out of a node that chooses. */
  function handleOf({ node_type }: SimulatedNode): string | undefined {
    if (node_type === 'rule') return String(random.chance(0.5));
    return undefined;
  }

  /**
   * Draws a graph in topological order.
   *
   * @param reads - templates that give something to the first node
   * @returns its nodes, the first one is the only one without predecessors
   */
  function draw(
    first: string | undefined,
    parent: string | undefined,
    depth: number,
    reads: readonly string[],
  ) {
    const drawn = first === undefined ? [node(parent, depth, reads)] : [first];
    for (let more = random.whole(depth === 0 ? 2 : 0, depth === 0 ? 8 : 3); more > 0; more -= 1) {
      const before = [
        ...new Set(Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => random.pick(drawn))),
      ];
      const isJoin = before.length > 1 && random.chance(0.7);
      const from = before.length === 1 ? [`{{node.${before[0]}.body.value}}`] : reads;
      const id = isJoin ? add('merge', {}, parent) : node(parent, depth, from);
      for (const source of before) connect(source, id);
      drawn.push(id);
    }
    return drawn;
  }

  function node(parent: string | undefined, depth: number, reads: readonly string[]): string {
    const common = {
      ...(random.chance(0.15) && { skip_on_error: true }),
      ...(random.chance(0.1) && {
        node_conditions: { conditions: [{ variable: flag(), operator: 'eq', value: true }] },
      }),
    };
    const draws: readonly (() => string)[] = [
      () => act(parent, common, reads),
      () => act(parent, common, reads),
      () => act(parent, common, reads),
      () => rule(parent, common),
      // Loops in loops would spend a minute on waiting one time after the other.
      () => (depth < 2 ? pause(parent, common) : act(parent, common, reads)),
      () => (depth < deepest ? loop(parent, common, depth, reads) : act(parent, common, reads)),
      () => (depth < deepest ? tryBlock(parent, depth, reads) : rule(parent, common)),
      () => (random.chance(0.5) ? subFlow(parent, common) : act(parent, common, reads)),
    ];
    if (nodes.find(({ id }) => id === parent)?.node_type === 'loop' && random.chance(0.06)) {
      return add(
        'terminate',
        { action: 'terminate_iteration', status: random.pick(['error', 'success']) },
        parent,
      );
    }
    if (mayTerminate && random.chance(0.08)) {
      return add('terminate', { action: 'terminate', status: random.pick(['', 'error', 'success']) }, parent);
    }
    return random.pick(draws)();
  }

  function act(parent: string | undefined, common: object, reads: readonly string[]): string {
    const around = repeated.at(-1);
    const isLate = around !== undefined && random.chance(0.5);
    const does = isLate
      ? 'fail_first_try'
      : random.pick(['succeed', 'succeed', 'succeed', 'succeed', 'stumble', 'fail']);
    return add(
      'act',
      {
        ...common,
        does,
        ...(isLate && { repeats: around }),
        effect: random.pick(['none', 'read', 'repeatable', 'once']),
        value: random.pick([...reads, ...reads, '']),
        retry_policy: { strategy: 'fixed', delay: 1, max_attempts: does === 'stumble' ? 3 : 1 },
      },
      parent,
    );
  }

  function subFlow(parent: string | undefined, common: object): string {
    const workflow = random.pick(subFlows);
    return add('sub_flow', { ...common, workflow, payload: {}, wait_for_completion: true }, parent);
  }

  function pause(parent: string | undefined, common: object): string {
    return add('pause', { ...common, by: random.pick(['token', 'due']) }, parent);
  }

  function rule(parent: string | undefined, common: object): string {
    return add(
      'rule',
      { ...common, conditions: [{ variable: flag(), operator: 'eq', value: true }] },
      parent,
    );
  }

  function loop(parent: string | undefined, common: object, depth: number, reads: readonly string[]): string {
    const size = random.pick(depth === 0 ? [0, 1, 2, 3, 7] : [0, 1, 2]);
    const mode = random.pick(['array', 'fixed', 'do_while']);
    const isArray = mode === 'array';
    const rounds = random.whole(1, depth === 0 ? 3 : 2);
    const last = { variable: '{{loop.iteration_number}}', operator: 'lt', value: rounds };
    const id = add(
      'loop',
      {
        ...common,
        ...(isArray
          ? { mode: 'array', fanout_array: Array.from({ length: size }, (_, index) => `item${index}`) }
          : mode === 'fixed'
            ? { mode, count: size }
            : { mode, while: { conditions: [last] }, rounds }),
        concurrent_batches: random.pick([1, 2, 50]),
        ...(random.chance(0.4) && { allow_partial_success: true }),
      },
      parent,
    );
    const given = isArray ? '{{array_item}}' : '{{loop.iteration_number}}';
    draw(undefined, id, depth + 1, [given, ...reads]);
    return id;
  }

  function tryBlock(parent: string | undefined, depth: number, reads: readonly string[]): string {
    const attempts = random.pick([1, 1, 2, 3]);
    const retry_policy = { strategy: 'fixed', delay: 1, max_attempts: attempts };
    const id = add('try_catch', attempts === 1 ? {} : { retry_policy }, parent);
    if (attempts > 1) repeated.push(id);
    draw(undefined, id, depth + 1, reads);
    if (attempts > 1) repeated.pop();
    if (random.chance(0.8)) {
      const [entry] = draw(undefined, id, depth + 1, reads);
      edges.push({ source: id, target: entry!, source_handle: 'catch' });
    }
    return id;
  }

  const flag = () => `{{event.${random.pick(flags)}}}`;
  draw('1', undefined, 0, []);
  return {
    nodes,
    edges,
    payload: Object.fromEntries(flags.map((name) => [name, random.chance(0.6)])),
  };
}
