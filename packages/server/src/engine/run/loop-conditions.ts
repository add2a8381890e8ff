import { evaluateRule, readRule } from '#domain/rules';
import { pathsIn, render, type CompiledTemplate } from '#domain/template';
import type { Frame } from '#engine/run/run-state';
import { nodesOf, type PlanNode } from '#engine/plan/workflow-plan';

/** Whether a do-while loop goes round again after this iteration. Without a "while" only a break case ends it. */
export function goesOn(node: PlanNode, frame: Frame): boolean {
  const condition = node.inside['while'];
  return condition === undefined || holds(condition, frame);
}

/**
 * The break cases of a loop, as one question to an iteration. A case is decided when all nodes inside the loop that
 * it reads have ended: before that a comparison with nothing could come out true.
 */
export function breakChecks(
  node: PlanNode,
): ((frame: Frame, when: 'so_far' | 'at_end') => boolean) | undefined {
  const cases = casesIn(node.inside['break_cases']);
  if (cases.length === 0) return undefined;
  const inner = [...nodesOf(node.regions['body']!)];
  const ofLoop = (name: string | undefined): string | undefined =>
    inner.find(({ id, slug }) => id === name || slug === name)?.id;
  const read = cases.map((condition) => ({
    condition,
    ids: pathsIn(condition).flatMap((path) => ofLoop(path.root === 'node' ? path.node : path.root) ?? []),
  }));
  return (frame, when) =>
    read.some(({ condition, ids }) => {
      const isDecided = when === 'at_end' || (ids.length > 0 && ids.every((id) => frame.results.has(id)));
      return isDecided && holds(condition, frame);
    });
}

/** A list of rules; one rule alone counts as such a list. */
function casesIn(compiled: CompiledTemplate | undefined): readonly CompiledTemplate[] {
  if (compiled === undefined) return [];
  if (compiled.kind === 'array') return compiled.items;
  if (compiled.kind !== 'literal') return [compiled];
  const values: unknown[] = Array.isArray(compiled.value) ? compiled.value : [compiled.value];
  return values.map((value) => ({ kind: 'literal', value }));
}

function holds(condition: CompiledTemplate, frame: Frame): boolean {
  return evaluateRule(readRule(render(condition, frame.scope, { missing: 'omit' }))).result;
}
