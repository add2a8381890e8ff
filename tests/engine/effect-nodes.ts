import { z } from 'zod';
import { nodeRegistry, type NodeRegistry } from '../../packages/server/src/engine/index.ts';
import { loop } from '../../packages/server/src/engine/nodes/loop.ts';
import {
  done,
  failed,
  nodeType,
  suspended,
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
  const repeatable = effect('repeatable', 'repeatable');
  const nap = nodeType({
    ...repeatable,
    type: 'nap',
    async run(settings, ctx) {
      const outcome = await callSink(settings, ctx);
      if (outcome.kind !== 'done') return outcome;
      return suspended({ reason: 'delay', dueAt: new Date(ctx.now.getTime() + 300), state: outcome.body });
    },
    resume: (_settings, _ctx, { state }) => done(state),
  });
  return nodeRegistry([start, response, loop, repeatable, effect('once', 'once'), nap]);
}
