import { z } from 'zod';
import { failed, nodeType } from '#engine/nodes/node-type';

/** Runs the nodes of its try block; when one of them fails, those of its catch instead of failing the execution. */
export const tryCatch = nodeType({
  type: 'try_catch',
  label: 'Try & Catch',
  group: 'control',
  help: 'Runs the nodes inside it. When one fails, the rest of them is left out and the catch nodes run.',
  reference: {
    output:
      '`{try_catch_result, message}`; when caught also `failed_node_id` and `error_message`, which the catch nodes read too.',
    errors: 'What its catch nodes fail with; without catch nodes, what was thrown.',
  },
  effect: 'none',
  fields: {},
  settings: z.looseObject({}),
  container: ['try', 'catch'],
  run: () => failed({ message: 'A try block is walked by the engine.', retry: 'never' }),
});
