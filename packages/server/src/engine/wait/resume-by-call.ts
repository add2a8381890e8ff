import type { Pool } from 'pg';
import { findWaitingNodes, keepArrival, wakeById } from '#db/wait-webhook';
import type { Clock } from '#domain/clock';
import { isRecord } from '#domain/exact-json';
import { newId } from '#domain/ids';
import { hasHeaders } from '#engine/nodes/wait-for-webhook';
import type { RowVault } from '#engine/recording/sealed-parts';
import type { ResumeLinks } from '#engine/wait/resume-links';
import { sealArrival, sealWaitPayload } from '#engine/wait/wait-payloads';

export interface ResumeCall {
  /** Those that the node may see. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** All headers, by `proofsOf`: secrets are compared, never kept. */
  readonly proofs: Readonly<Record<string, string>>;
}

/** `kept`: the node does not wait yet, and gets the call when it does. */
export type ResumeAnswer = 'resumed' | 'kept' | 'unknown' | 'ambiguous' | 'wrong_headers' | 'nobody_waits';

/** Takes a call to the URL of a node that waits. The first valid one resumes; one that is refused changes nothing. */
export async function resumeByCall(
  deps: { readonly pool: Pool; readonly clock: Clock; readonly vault: RowVault; readonly links: ResumeLinks },
  token: string,
  call: ResumeCall,
): Promise<ResumeAnswer> {
  const target = deps.links.read(token);
  if (target === undefined) return 'unknown';
  const { tenant, nodeId, batch } = target;
  const at =
    target.of === 'execution' ? { nodeId, executionId: target.id, batch } : { nodeId, workflowId: target.id };
  const [waiting, other] = await findWaitingNodes(deps.pool, tenant, at, deps.clock.now());
  if (other !== undefined) return 'ambiguous';
  if (waiting === undefined) {
    if (target.of === 'workflow') return 'nobody_waits';
    const id = newId(deps.clock.now().getTime());
    const payloadSealed = sealArrival(deps.vault, id, call);
    const isKept = await keepArrival(deps.pool, tenant, {
      id,
      executionId: target.id,
      nodeId,
      batch,
      payloadSealed,
    });
    return isKept ? 'kept' : 'nobody_waits';
  }
  const wanted = isRecord(waiting.state) ? waiting.state['proofs'] : undefined;
  if (!hasHeaders(call.proofs, wanted)) return 'wrong_headers';
  const sealed = sealWaitPayload(deps.vault, waiting.id, call);
  return (await wakeById(deps.pool, waiting.id, sealed)) ? 'resumed' : 'nobody_waits';
}
