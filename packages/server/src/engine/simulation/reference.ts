import type { SimulatedEdge, SimulatedNode, SimulatedWorkflow } from '#engine/simulation/random-workflow';
import { repetitionOf } from '#engine/simulation/simulated-nodes';

/**
 * What should come out of a simulated workflow: the rules of spec/workflows §7 as a small interpreter that knows no
 * time. Where branches race (a failure ends the others wherever they are) it says what may be there, not what is.
 */

export interface ExpectedOutcome {
  readonly status:
    'success' | 'errored' | 'errored_and_skipped' | 'rejected' | 'partially_successful' | 'terminated';
  /** What an `act` node says; it depends on all that it read. */
  readonly value?: string;
  /** It is there whatever the order in which branches run, if nothing from outside ends the execution. */
  readonly isCertain: boolean;
}

export interface Expectation {
  readonly ends: ReadonlySet<string>;
  /** Two things race in an iteration one of which makes it succeed: nobody can say what comes out. */
  readonly isAmbiguous: boolean;
  /** By node and path: `7` at the root, `7 in 5:0` in the first iteration of node 5. */
  readonly outcomes: ReadonlyMap<string, ExpectedOutcome>;
}

type Values = ReadonlyMap<string, string>;

interface Surroundings {
  readonly batch: string;
  /** What templates find: `node.<id>`, `loop`, `item`. */
  readonly values: Values;
  readonly isCertain: boolean;
}

interface FrameEnd {
  readonly isFailed: boolean;
  /** A Terminate node ended it well. */
  readonly isCutShort: boolean;
  readonly values: Values;
}

/** The key of an outcome. */
export function placeOf(nodeId: string, batch: string): string {
  return batch === '' ? nodeId : `${nodeId} in ${batch}`;
}

export function interpret(workflow: SimulatedWorkflow): Expectation {
  const outcomes = new Map<string, ExpectedOutcome>();
  const terminations = new Set<string>();
  let anyFailed = false;
  let isAmbiguous = false;

  function graphOf(parent: string | undefined): SimulatedNode[] {
    return workflow.nodes.filter((node) => node.parent_id === parent);
  }

  /** Nodes of a container that its catch edges lead to. */
  function catchRegion(container: string): Set<string> {
    const reached = new Set(
      workflow.edges
        .filter(({ source, source_handle }) => source === container && source_handle === 'catch')
        .map(({ target }) => target),
    );
    for (const id of reached) {
      for (const edge of workflow.edges)
        if (edge.source === id && isInside(edge, container)) reached.add(edge.target);
    }
    return reached;
  }

  const isInside = (edge: SimulatedEdge, container: string) =>
    workflow.nodes.some(({ id, parent_id }) => id === edge.target && parent_id === container);

  function walk(nodes: readonly SimulatedNode[], around: Surroundings): FrameEnd {
    const here = new Set(nodes.map(({ id }) => id));
    const edges = workflow.edges.filter(({ source, target }) => here.has(source) && here.has(target));
    // Once to learn whether the frame breaks off, once more to say what is certain in it.
    const first = pass(nodes, edges, around, new Map());
    const isCertain = around.isCertain && !first.isFailed && !first.isCutShort;
    return pass(nodes, edges, { ...around, isCertain }, outcomes);
  }

  function pass(
    nodes: readonly SimulatedNode[],
    edges: readonly SimulatedEdge[],
    around: Surroundings,
    into: Map<string, ExpectedOutcome>,
  ): FrameEnd {
    const values = new Map(around.values);
    const left = new Map<string, string>();
    const dead = new Set<string>();
    let isFailed = false;
    let isCutShort = false;
    for (const node of nodes) {
      const before = edges.filter(({ target }) => target === node.id);
      const taken = before.filter((edge) => left.get(edge.source) === (edge.source_handle ?? 'next'));
      const open = before.filter(({ source }) => !left.has(source) && !dead.has(source));
      const isJoin = node.node_type === 'merge';
      if (before.length > 0 && taken.length === 0 && open.length === 0) dead.add(node.id);
      if (before.length > 0 && (taken.length === 0 || (isJoin && open.length > 0))) continue;
      const ended = run(node, { ...around, values }, into);
      into.set(placeOf(node.id, around.batch), { ...ended.outcome, isCertain: around.isCertain });
      if (ended.outcome.value !== undefined) values.set(`node.${node.id}`, ended.outcome.value);
      if (ended.isCutShort === true) isCutShort = true;
      else if (ended.port === undefined) isFailed = true;
      else left.set(node.id, ended.port);
    }
    if (isFailed && isCutShort) isAmbiguous = true;
    return { isFailed, isCutShort, values };
  }

  interface Ended {
    readonly outcome: Omit<ExpectedOutcome, 'isCertain'>;
    /** Undefined: the frame breaks off here. */
    readonly port: string | undefined;
    readonly isCutShort?: boolean;
  }

  function run(node: SimulatedNode, around: Surroundings, into: Map<string, ExpectedOutcome>): Ended {
    const { data } = node;
    const conditions = data['node_conditions'] as { conditions: { variable: string }[] } | undefined;
    if (conditions !== undefined && !holds(conditions.conditions[0]!.variable)) return succeed('rejected');
    switch (node.node_type) {
      case 'act':
        return data['does'] === 'fail' ||
          (data['does'] === 'fail_first_try' && repetitionOf(data['repeats'], around.batch) === 0)
          ? fail(node)
          : succeed('success', 'next', `${node.id}(${read(String(data['value']), around.values)})`);
      case 'rule': {
        const [condition] = data['conditions'] as { variable: string }[];
        return succeed('success', String(holds(condition!.variable)));
      }
      case 'loop':
        return loop(node, around, into);
      case 'try_catch':
        return tryBlock(node, around, into);
      case 'sub_flow':
        return (data['workflow'] as string).endsWith('bad') ? fail(node) : succeed('success');
      case 'terminate':
        if (data['action'] === 'terminate_iteration') return endIteration(data['status'] as string);
        return terminate(data['status'] as string);
      default:
        return succeed('success');
    }
  }

  function loop(node: SimulatedNode, around: Surroundings, into: Map<string, ExpectedOutcome>): Ended {
    const items = node.data['fanout_array'] as readonly string[] | undefined;
    const isDoWhile = node.data['mode'] === 'do_while';
    const count = items?.length ?? (node.data[isDoWhile ? 'rounds' : 'count'] as number);
    let failed = 0;
    for (let index = 0; index < count; index += 1) {
      const values = new Map(around.values).set('loop', String(index + 1));
      if (items !== undefined) values.set('item', items[index]!);
      const batch = inside(around.batch, node.id, index);
      const end = walkInto(graphOf(node.id), { ...around, batch, values }, into);
      if (end.isFailed) failed += 1;
      if (end.isFailed && isDoWhile) break;
    }
    if (failed === 0) return succeed('success');
    anyFailed = true;
    return node.data['allow_partial_success'] === true ? succeed('partially_successful') : fail(node);
  }

  function tryBlock(node: SimulatedNode, around: Surroundings, into: Map<string, ExpectedOutcome>): Ended {
    const inCatch = catchRegion(node.id);
    const inner = graphOf(node.id);
    const policy = node.data['retry_policy'] as { max_attempts: number } | undefined;
    const trying = inner.filter(({ id }) => !inCatch.has(id));
    let batch = '';
    for (let index = 0; index < (policy?.max_attempts ?? 1); index += 1) {
      batch = inside(around.batch, node.id, index);
      if (!walkInto(trying, { ...around, batch }, into).isFailed) return succeed('success');
      anyFailed = true;
    }
    if (inCatch.size === 0) return fail(node);
    const caught = walkInto(
      inner.filter(({ id }) => inCatch.has(id)),
      { ...around, batch },
      into,
    );
    return caught.isFailed ? fail(node) : succeed('success');
  }

  /** The first look of a frame around this one must not write into what is expected. */
  function walkInto(
    nodes: readonly SimulatedNode[],
    around: Surroundings,
    into: Map<string, ExpectedOutcome>,
  ): FrameEnd {
    if (into === outcomes) return walk(nodes, around);
    const here = new Set(nodes.map(({ id }) => id));
    const edges = workflow.edges.filter(({ source, target }) => here.has(source) && here.has(target));
    return pass(nodes, edges, around, into);
  }

  function endIteration(status: string): Ended {
    if (status === 'error') {
      anyFailed = true;
      return { outcome: { status: 'errored' }, port: undefined };
    }
    return { outcome: { status: 'success' }, port: undefined, isCutShort: true };
  }

  function terminate(status: string): Ended {
    const end = { '': 'terminated', error: 'errored', success: 'completed' }[status] ?? 'terminated';
    terminations.add(end);
    const shown = { terminated: 'terminated', errored: 'errored', completed: 'success' }[end];
    return { outcome: { status: shown as ExpectedOutcome['status'] }, port: undefined };
  }

  const holds = (variable: string) => workflow.payload[/f\d/.exec(variable)![0]] === true;

  function fail(node: SimulatedNode): Ended {
    if (node.data['skip_on_error'] === true) return succeed('errored_and_skipped');
    anyFailed = true;
    return { outcome: { status: 'errored' }, port: undefined };
  }

  const root = walk(graphOf(undefined), { batch: '', values: new Map(), isCertain: true });
  const ends = new Set<string>();
  if (terminations.size === 0) ends.add(root.isFailed ? 'errored' : 'completed');
  else for (const end of terminations) ends.add(end);
  // A failure and a termination race, and one that is inside of something may be broken off before it is reached.
  if (terminations.size > 0 && anyFailed) for (const end of ['errored', 'completed']) ends.add(end);
  const isRaced = terminations.size > 0;
  return {
    ends,
    isAmbiguous,
    outcomes: isRaced
      ? new Map([...outcomes].map(([place, outcome]) => [place, { ...outcome, isCertain: false }]))
      : outcomes,
  };
}

function succeed(
  status: ExpectedOutcome['status'],
  port = 'next',
  value?: string,
): { outcome: Omit<ExpectedOutcome, 'isCertain'>; port: string } {
  return { outcome: { status, ...(value !== undefined && { value }) }, port };
}

function inside(batch: string, nodeId: string, index: number): string {
  return `${batch === '' ? '' : `${batch}/`}${nodeId}:${index}`;
}

/** The four templates that simulated nodes use; whatever they do not find is empty text. */
function read(template: string, values: Values): string {
  const [, nodeId] = /^\{\{node\.(\d+)\.body\.value\}\}$/.exec(template) ?? [];
  if (nodeId !== undefined) return values.get(`node.${nodeId}`) ?? '';
  if (template === '{{loop.iteration_number}}') return values.get('loop') ?? '';
  if (template === '{{array_item}}') return values.get('item') ?? '';
  return template;
}
