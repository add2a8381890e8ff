import { z } from 'zod';
import type { RetryFrom, RetryRequest } from '#engine/index';

const requestId = z
  .string()
  .trim()
  .min(1, 'must not be empty')
  .max(200, 'may have 200 characters')
  .optional()
  .describe('Chosen by the caller: the same request sent again answers with what it made the first time.');

/** Body of a retry of one execution. */
export const retryBody = z
  .object({
    from: z
      .enum(
        ['failure', 'node'],
        'is "failure" (what failed runs again) or "node" (a node and what follows it)',
      )
      .default('failure'),
    node_id: z.string().min(1).optional().describe('With "from": "node": the node that runs again.'),
    batch: z
      .string()
      .min(1)
      .optional()
      .describe('With a node inside a loop: the iteration in which it runs again, such as `5:12`.'),
    request_id: requestId,
  })
  .superRefine(({ from, node_id, batch }, ctx) => {
    const problem = (path: string, message: string): void =>
      ctx.addIssue({ code: 'custom', path: [path], message });
    if (from === 'node' && node_id === undefined) {
      problem('node_id', 'is required with "from": "node"; read the execution for the ids of its nodes');
    }
    if (from === 'failure' && node_id !== undefined) problem('node_id', 'goes with "from": "node" only');
    if (from === 'failure' && batch !== undefined) problem('batch', 'goes with "from": "node" only');
  });

/** What the engine is to do for a body. */
export function retryOf(body: z.output<typeof retryBody>): RetryFrom & RetryRequest {
  const { from, node_id: nodeId, batch, request_id: requestId } = body;
  return from === 'node' ? { from, nodeId: nodeId ?? '', batch, requestId } : { from: 'failure', requestId };
}

/** Query of a rerun. */
export const rerunQuery = z.object({
  version: z
    .preprocess(
      (text) => (text === '' ? undefined : text),
      z
        .enum(
          ['pinned', 'latest'],
          'is "pinned" (the one that the execution ran) or "latest" (the published one)',
        )
        .optional(),
    )
    .describe('Which version of the workflow runs: `pinned`, as before, unless it is `latest`.'),
});
