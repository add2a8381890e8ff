import { z } from 'zod';
import { done, nodeType } from '#engine/nodes/node-type';

/**
 * The one entry of a workflow. Its outcome is the trigger's payload and is written together with the
 * execution itself, so the engine never runs it.
 */
export const start = nodeType({
  type: 'start',
  label: 'Start',
  group: 'trigger',
  help: 'Where every execution begins; holds the trigger.',
  reference: {
    output: 'The payload of the trigger; `{{event.x}}` and `{{start.body.x}}` read it.',
    errors:
      'None: a payload that does not fit the schema of the workflow is refused before an execution exists.',
  },
  effect: 'none',
  fields: {},
  settings: z.unknown(),
  run: () => done(null),
});
