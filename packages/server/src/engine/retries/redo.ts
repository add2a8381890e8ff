import type { JournalKind, JournalStatus } from '#db/schema';
import type { Plan, PlanGraph, PlanNode } from '#engine/plan/workflow-plan';

/** Where one row of a journal stands and what it says, without its values. */
export interface JournalOutline {
  readonly seq: number;
  readonly nodeId: string;
  readonly batch: string;
  readonly kind: JournalKind;
  readonly status: JournalStatus | null;
  readonly port: string | null;
}

/** A node that is to run again though it finished; with `batch`, only in that iteration. */
export interface NodeAgain {
  readonly nodeId: string;
  readonly batch?: string | undefined;
}

/** Where a node is drawn: its graph, and the container around it with the port that leads in. */
interface Drawn {
  readonly node: PlanNode;
  readonly graph: PlanGraph;
  readonly container: Drawn | undefined;
  readonly port: string | undefined;
}

const finished: ReadonlySet<JournalStatus | null> = new Set<JournalStatus>([
  'success',
  'errored_and_skipped',
  'rejected',
  'partially_successful',
]);

/**
 * Which rows of an ended execution a retry leaves behind, by number; all others it keeps. A node or an iteration
 * that finished is kept with everything inside it, failures that were skipped or caught included: they were dealt
 * with. Of the rest it keeps the nodes that finished and what containers and pages have done so far.
 *
 * @param rows - all rows but the first
 * @param again - a node that runs again with everything that follows it, besides what failed
 */
export function rowsToRedo(
  rows: readonly JournalOutline[],
  plan: Plan,
  again?: NodeAgain,
): { readonly seqs: number[]; isAgain(nodeId: string, batch: string): boolean } {
  const drawn = drawnNodes(plan);
  const iterations = new Map<string, JournalStatus | null>();
  const outcomes = new Map<string, JournalStatus | null>();
  for (const row of rows) {
    if (row.kind === 'batch' && row.port !== 'page') iterations.set(row.batch, row.status);
    if (row.kind === 'outcome' && row.status !== 'retrying')
      outcomes.set(`${row.nodeId}@${row.batch}`, row.status);
  }
  const forced = again === undefined ? undefined : forcedBy(drawn, again);

  const isAgain = (nodeId: string, batch: string): boolean =>
    forced !== undefined &&
    !isOfEarlierTry(batch) &&
    [nodeId, ...containersOf(batch)].some((id) => isIn(forced.nodes, id, batch));
  const reopened = forced === undefined ? new Set<string>() : reopenedIterations();

  /** A repetition of a try block that another one followed is history. */
  function isOfEarlierTry(batch: string): boolean {
    return pathsOf(batch).some((path) => iterations.get(path) === 'retrying');
  }

  function reopenedIterations(): Set<string> {
    const withRows = new Set<string>();
    const hit = new Set<string>();
    for (const row of rows) {
      const paths = pathsOf(row.kind === 'batch' ? outerOf(row.batch) : row.batch);
      for (const path of paths) withRows.add(path);
      if (!isAgain(row.nodeId, row.kind === 'batch' ? outerOf(row.batch) : row.batch)) continue;
      paths.forEach((path, depth) => {
        // What a catch does says nothing about the try before it.
        const entered = enteredBy(row.nodeId, depth);
        if (entered !== 'catch') hit.add(path);
      });
    }
    // Iterations of pure nodes leave no rows of their nodes: they are walked anew as a whole.
    for (const path of iterations.keys()) {
      const container = containersOf(path).at(-1)!;
      const isAsked = again?.batch === undefined || `${again.batch}/`.startsWith(`${path}/`);
      if (isAsked && !withRows.has(path) && isIn(forced!.containers, container, path)) hit.add(path);
    }
    return hit;
  }

  function enteredBy(nodeId: string, depth: number): string | undefined {
    const chain: Drawn[] = [];
    for (let at = drawn.get(nodeId); at?.container !== undefined; at = at.container) chain.unshift(at);
    return chain[depth]?.port;
  }

  function isClosed(nodeId: string, batch: string): boolean {
    if (!finished.has(outcomes.get(`${nodeId}@${batch}`) ?? null)) return false;
    return forced === undefined || !isIn(forced.containers, nodeId, batch) || isOfEarlierTry(batch);
  }

  /** What is inside one iteration stays as it is. */
  function isSettled(path: string, depth: number, row: JournalOutline): boolean {
    if (reopened.has(path)) return false;
    const status = iterations.get(path);
    if (status === 'success' || status === 'retrying') return true;
    return isCaught(path, status) && enteredBy(row.nodeId, depth) === 'try';
  }

  /** The try block failed for good, and its catch was to deal with it. */
  function isCaught(path: string, status: JournalStatus | null | undefined): boolean {
    const container = drawn.get(containersOf(path).at(-1) ?? '');
    return status === 'errored' && container?.node.regions['catch'] !== undefined;
  }

  function isKept(row: JournalOutline): boolean {
    const isBatch = row.kind === 'batch';
    const around = isBatch ? outerOf(row.batch) : row.batch;
    if (isAgain(row.nodeId, around)) return false;
    const paths = pathsOf(around);
    const containers = containersOf(around);
    for (const [depth, path] of paths.entries()) {
      if (isClosed(containers[depth]!, outerOf(path)) || isSettled(path, depth, row)) return true;
    }
    if (isClosed(row.nodeId, around)) return true;
    if (!isBatch) {
      return row.kind === 'start' && Object.keys(drawn.get(row.nodeId)?.node.regions ?? {}).length > 0;
    }
    if (row.port === 'page') return row.status === 'success';
    if (reopened.has(row.batch)) return false;
    const { status } = row;
    return status === 'success' || status === 'retrying' || isCaught(row.batch, status);
  }

  return { seqs: rows.filter((row) => !isKept(row)).map(({ seq }) => seq), isAgain };
}

/** The node and what follows it; and up the containers around it, which are open again, what follows those. */
function forcedBy(
  drawn: ReadonlyMap<string, Drawn>,
  { nodeId, batch }: NodeAgain,
): {
  readonly nodes: ReadonlyMap<string, string | undefined>;
  readonly containers: ReadonlyMap<string, string | undefined>;
} {
  const nodes = new Map<string, string | undefined>();
  const containers = new Map<string, string | undefined>();
  let within = batch;
  for (let at = drawn.get(nodeId), isFirst = true; at !== undefined; at = at.container, isFirst = false) {
    for (const node of followersOf(at.graph, at.node)) nodes.set(node.id, within);
    if (isFirst) nodes.set(at.node.id, within);
    else containers.set(at.node.id, within);
    // A Terminate that ended the execution would end it again before the node could run.
    if (at.container === undefined) {
      for (const node of at.graph.nodes) if (node.type === 'terminate') nodes.set(node.id, within);
    }
    if (at.port === 'try') {
      for (const node of at.container?.node.regions['catch']?.nodes ?? []) nodes.set(node.id, within);
    }
    within = within === undefined ? undefined : outerOf(within);
  }
  return { nodes, containers };
}

function followersOf(graph: PlanGraph, node: PlanNode): Set<PlanNode> {
  const found = new Set(node.out.map(({ target }) => graph.nodes[target]!));
  for (const one of found) for (const { target } of one.out) found.add(graph.nodes[target]!);
  return found;
}

function drawnNodes(plan: Plan): Map<string, Drawn> {
  const drawn = new Map<string, Drawn>();
  const enter = (graph: PlanGraph, container: Drawn | undefined, port: string | undefined): void => {
    for (const node of graph.nodes) {
      const at: Drawn = { node, graph, container, port };
      drawn.set(node.id, at);
      for (const [name, region] of Object.entries(node.regions)) enter(region, at, name);
    }
  };
  enter(plan, undefined, undefined);
  return drawn;
}

/** Whether a node stands in what the map says of it: a path or further inside, or anywhere when there is none. */
function isIn(places: ReadonlyMap<string, string | undefined>, nodeId: string, batch: string): boolean {
  if (!places.has(nodeId)) return false;
  const within = places.get(nodeId);
  return within === undefined || within === '' || batch === within || batch.startsWith(`${within}/`);
}

/** `5:1/9:0` is `5:1`, `5:1/9:0`. */
function pathsOf(batch: string): string[] {
  if (batch === '') return [];
  const parts = batch.split('/');
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

/** Ids of the containers on a path, outermost first. */
function containersOf(batch: string): string[] {
  return batch === '' ? [] : batch.split('/').map((part) => part.slice(0, part.lastIndexOf(':')));
}

function outerOf(batch: string): string {
  return batch.slice(0, Math.max(0, batch.lastIndexOf('/')));
}
