import { z } from 'zod';
import { nodeRegistry, type NodeRegistry } from '../../packages/server/src/engine/index.ts';
import {
  done,
  failed,
  nodeType,
  type NodeContext,
} from '../../packages/server/src/engine/nodes/node-type.ts';
import { response } from '../../packages/server/src/engine/nodes/response.ts';
import { start } from '../../packages/server/src/engine/nodes/start.ts';

/** Nodes whose only work is one call to the sink, which counts them by idempotency key. */
export function effectNodes(sinkUrl: string): NodeRegistry {
  async function callSink(_settings: unknown, ctx: NodeContext) {
    const answer = await fetch(sinkUrl, {
      method: 'POST',
      headers: { 'idempotency-key': ctx.idempotencyKey },
      signal: ctx.signal,
    });
    await answer.arrayBuffer();
    if (!answer.ok) return failed({ message: `The sink said ${answer.status}.`, retry: 'unknown' });
    return done({ key: ctx.idempotencyKey });
  }
  const effect = (type: string, kind: 'repeatable' | 'once') =>
    nodeType({
      type,
      label: type,
      group: 'app',
      help: 'Calls the sink.',
      effect: kind,
      fields: {},
      settings: z.unknown(),
      run: callSink,
    });
  return nodeRegistry([start, response, effect('repeatable', 'repeatable'), effect('once', 'once')]);
}
