import type { FinishedOutcome } from '#engine/nodes/node-type';
import { failureAt, haltFrame, haltRun, type Frame, type RunState } from '#engine/run/run-state';
import { scopeOf } from '#engine/nodes/terminate';
import type { HistoryEntry } from '#engine/run/run-history';
import type { Plan, PlanNode } from '#engine/plan/workflow-plan';

type Termination = Pick<Extract<FinishedOutcome, { kind: 'terminated' }>, 'scope' | 'result' | 'body'>;

/**
 * Ends what a Terminate node says: the execution with all its branches, the iteration it stands in, or the loop
 * around it. What is under way ends by itself.
 */
export function terminate(
  run: RunState,
  frame: Frame,
  node: PlanNode,
  { scope, result, body }: Termination,
): void {
  const iteration = scope === 'execution' ? undefined : iterationAround(frame);
  const failure =
    result === 'error' ? failureAt(node, { message: body.message, status: body.statusCode }) : undefined;
  if (iteration !== undefined) {
    const why = failure === undefined ? {} : { failure };
    haltFrame(run, iteration, { ...why, endsLoop: scope === 'loop' });
    return;
  }
  if (run.halt !== undefined) return;
  run.response ??= { nodeId: node.id, body, statusCode: body.statusCode };
  haltRun(run, result === 'error' ? 'errored' : result === 'success' ? 'completed' : 'terminated', failure);
}

function iterationAround(frame: Frame): Frame | undefined {
  for (let at: Frame | undefined = frame; at !== undefined; at = at.within) if (at.kind === 'loop') return at;
  return undefined;
}

/** What a Terminate node of the journal said. */
export function readTermination(node: PlanNode, entry: HistoryEntry): Termination | undefined {
  if (node.type !== 'terminate' || entry.output === null || typeof entry.output !== 'object')
    return undefined;
  const body = entry.output as Termination['body'];
  const { status } = entry;
  const result = status === 'errored' ? 'error' : status === 'success' ? 'success' : 'terminated';
  return { scope: scopeOf(body.action), result, body };
}

/** Path of the iteration that a Terminate node of the journal ended; '': the whole execution. */
export function endedBatch(plan: Pick<Plan, 'byId' | 'loopIds'>, entry: HistoryEntry): string {
  const node = plan.byId.get(entry.nodeId);
  if (node === undefined || readTermination(node, entry)?.scope === 'execution') return '';
  const path = entry.batch.split('/');
  const loop = path.findLastIndex((part) => plan.loopIds.includes(part.slice(0, part.lastIndexOf(':'))));
  return path.slice(0, loop + 1).join('/');
}
