import { z } from 'zod';
import { done, nodeType } from '#engine/nodes/node-type';

/**
 * Goes on when every branch that leads here has arrived or can no longer come. A branch that failed has ended the
 * execution, or its try block, before; one whose failure was skipped brings what its node says of the failure.
 */
export const merge = nodeType({
  type: 'merge',
  label: 'Merge',
  group: 'control',
  help: 'Waits for all branches that can still come; its output has the body of each node that led here.',
  reference: {
    output: 'The body of each node that led here, by its id.',
    errors: 'None of its own.',
  },
  effect: 'none',
  fields: {},
  settings: z.looseObject({}),
  joins: true,
  run: (_settings, ctx) =>
    done(Object.fromEntries(ctx.predecessors().map(({ node_id, body }) => [node_id, body ?? null]))),
});
