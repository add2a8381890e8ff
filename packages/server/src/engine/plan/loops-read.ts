import { pathsIn, type Path } from '#domain/template';
import type { PlanNode } from '#engine/plan/workflow-plan';

/** What a template may read of a loop without its results being kept. */
const counts: ReadonlySet<string> = new Set([
  'total_iterations',
  'successful_iterations',
  'failed_iterations',
  'not_started_iterations',
  'array_item',
  'iteration_count',
]);

/** Ids of the loops whose results some template may read; of the others nothing is kept in memory but the counts. */
export function loopsRead(nodes: readonly PlanNode[]): ReadonlySet<string> {
  const loops = nodes.filter((node) => node.type === 'loop');
  if (loops.length === 0) return new Set();
  const paths = nodes.flatMap(pathsOf).filter(readsResults);
  // A variable may hold a template of its own, which nobody can know before it is read.
  if (paths.some((path) => path.root === 'env')) return new Set(loops.map((loop) => loop.id));
  return new Set(
    loops
      .filter((loop) =>
        paths.some(
          (path) => (path.root === 'node' ? path.node : path.root) === loop.id || namedBySlug(path, loop),
        ),
      )
      .map((loop) => loop.id),
  );
}

function pathsOf(node: PlanNode): Path[] {
  return [
    ...pathsIn(node.settings),
    ...(node.conditions === undefined ? [] : pathsIn(node.conditions)),
    ...Object.values(node.inside).flatMap(pathsIn),
  ];
}

function namedBySlug(path: Path, { slug }: PlanNode): boolean {
  return slug !== '' && (path.root === slug || (path.root === 'node' && path.node === slug));
}

function readsResults({ root, segments }: Path): boolean {
  if (root === 'env') return segments[0] === 'workflow';
  const [first, second] = segments;
  if (first !== undefined && first !== 'body') return false;
  return second === undefined || !counts.has(second);
}
