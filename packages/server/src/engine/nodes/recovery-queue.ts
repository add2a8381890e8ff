import { z } from 'zod';
import { done, failed, nodeType } from '#engine/nodes/node-type';

const settings = z.looseObject({
  queue: z.string().min(1, 'name the recovery queue'),
  columns: z.record(z.string(), z.unknown(), 'is a map of column names to values').default({}),
  payload: z.unknown().optional(),
  dedup_key: z
    .union([z.string(), z.number()])
    .transform(String)
    .pipe(z.string().max(500, 'is longer than 500 characters'))
    .optional(),
});

/** Keeps a caught failure for repair (spec/workflows §12.27). */
export const recoveryQueue = nodeType({
  type: 'recovery_queue',
  label: 'Recovery queue',
  group: 'control',
  help: 'On a catch branch: keeps the failure and its payload, to be repaired and run again.',
  reference: {
    output: '`{record_id, queue, count, failed_node_id, error_message}`.',
    errors: 'A node that stands on no catch branch; a queue that does not exist.',
  },
  effect: 'repeatable',
  fields: {
    queue: { type: 'text', label: 'Queue', required: true, help: 'Name or id of a recovery queue.' },
    columns: { type: 'map', label: 'Columns', help: 'Values of the columns of the queue.' },
    payload: {
      type: 'json',
      label: 'Payload',
      help: 'What to repair. The payload of the execution when empty.',
    },
    dedup_key: {
      type: 'text',
      label: 'Same failure when',
      placeholder: '{{event.order_id}}',
      help: 'Failures with the same value are one open record with a count.',
    },
  },
  settings,
  async run({ queue, columns, payload, dedup_key: key }, ctx) {
    if (ctx.caught === undefined) {
      return failed({
        message:
          'A recovery queue keeps failures that were caught: put the node on the catch branch of a Try/Catch.',
        retry: 'never',
      });
    }
    const { input, ...caught } = ctx.caught;
    const added = await ctx.services.recovery.add(ctx.tenant, {
      queue,
      executionId: ctx.executionId,
      nodeId: ctx.nodeId,
      batch: ctx.batch,
      appSlug: ctx.appSlug,
      dedupKey: key === undefined || key === '' ? ctx.idempotencyKey : key,
      failed: caught,
      columnValues: columns,
      payload: payload === undefined || payload === '' ? input : payload,
      mask: ctx.mask,
    });
    if ('refusal' in added) return failed({ message: added.refusal, retry: 'never' });
    return done({
      record_id: added.recordId,
      queue: added.queue,
      count: added.seen,
      failed_node_id: caught.nodeId,
      error_message: caught.message,
    });
  },
});
