import { z } from 'zod';
import type { ApiDeps } from '#api/deps';
import { newId } from '#domain/ids';
import type { Retried, RetryFrom, RetryRequest } from '#engine/index';

/** Retries that one request may make. */
const mostAtOnce = 500;

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

/** Fields of a retry of many that all doors share. */
export const bulkRetryFields = {
  error_hash: z.string().min(1).max(64).optional().describe('Failed executions with this error.'),
  ids: z
    .array(z.string().min(1).max(100))
    .min(1, 'names no execution')
    .max(mostAtOnce, `may name ${mostAtOnce} executions in one request`)
    .optional(),
  limit: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(mostAtOnce, `must be at most ${mostAtOnce}; send another request for the next ones`)
    .default(100)
    .describe('So many retries this request makes at most, the oldest executions first.'),
  request_id: requestId,
};

export const bulkRetryShape = z.object({
  request_id: z.string(),
  retried: z.array(z.object({ id: z.string(), retry_of: z.string() })),
  refused: z.array(z.object({ id: z.string(), reason: z.string() })),
});

/** Adds a problem unless exactly one of the fields is there. */
export function exactlyOne(
  body: Readonly<Record<string, unknown>>,
  fields: readonly string[],
  ctx: z.core.$RefinementCtx,
): void {
  const count = fields.filter((field) => body[field] !== undefined).length;
  if (count === 1) return;
  const path = [count === 0 ? fields[0]! : fields.findLast((field) => body[field] !== undefined)!];
  ctx.addIssue({ code: 'custom', path, message: `give one of ${fields.join(', ')}, and only one` });
}

/** For a caller that names none: it will not send the same request again. */
export function newRequestId({ clock }: Pick<ApiDeps, 'clock'>): string {
  return newId(clock.now().getTime());
}

export function shapeRetried(
  requestId: string,
  results: readonly Retried[],
): z.output<typeof bulkRetryShape> {
  return {
    request_id: requestId,
    retried: results.flatMap(({ of, executionId }) =>
      executionId === undefined ? [] : [{ id: executionId, retry_of: of }],
    ),
    refused: results.flatMap(({ of, problem }) =>
      problem === undefined ? [] : [{ id: of, reason: problem }],
    ),
  };
}
