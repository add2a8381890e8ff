import { isContended, isDatabaseAway, isValueRefused } from '#db/database-fault';
import { UnwrittenRowError } from '#engine/journal';
import type { RunFailure } from '#engine/run/run-state';
import type { Plan, PlanNode } from '#engine/plan/workflow-plan';

/** What kept a run from going on, though nobody decided anything about it. */
export interface RunFault {
  readonly nodeId: string;
  /** For people, as the end of a sentence. */
  readonly reason: string;
  /** The database was there: the run itself may be the cause, so it is not tried for ever. */
  readonly isCounted: boolean;
}

type Nodes = Pick<Plan, 'byId'>;

export function faultOf(error: unknown, at: PlanNode | undefined, plan: Nodes): RunFault {
  const node = nodeOf(error, at, plan);
  const cause = causeOf(error);
  const isOfDatabase = codeOf(cause) !== '' || isDatabaseAway(cause);
  const reason = isOfDatabase ? saidBy(cause) : 'something went wrong on our side, see the server log';
  return {
    nodeId: node?.id ?? '',
    reason: `${reason}${node === undefined ? '' : ` at "${node.name}"`}`,
    isCounted: !isDatabaseAway(cause) || isContended(cause),
  };
}

/** Whether the database will never take what the run gave it. */
export function isRefusal(error: unknown): boolean {
  return isValueRefused(causeOf(error));
}

/** Why a run ends whose values the database will never take. */
export function refusalOf(error: unknown, at: PlanNode | undefined, plan: Nodes): RunFailure {
  const node = nodeOf(error, at, plan);
  const what = node === undefined ? 'how the execution ended' : `what "${node.name}" gave`;
  const message = `The database cannot store ${what}: ${saidBy(causeOf(error))}. Change the value, then rerun the execution.`;
  return { nodeId: node?.id ?? '', nodeName: node?.name ?? '', message };
}

/** The row says best whose it is: whoever waited for its commit may be another node. */
function nodeOf(error: unknown, at: PlanNode | undefined, { byId }: Nodes): PlanNode | undefined {
  if (!(error instanceof UnwrittenRowError)) return at;
  return error.nodeId === undefined ? undefined : byId.get(error.nodeId);
}

function causeOf(error: unknown): unknown {
  return error instanceof UnwrittenRowError ? error.cause : error;
}

function saidBy(error: unknown): string {
  const code = codeOf(error);
  const said = error instanceof Error ? error.message.split('\n', 1)[0]!.slice(0, 300) : 'no reason given';
  return code === '' ? said : `${said} (${code})`;
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
