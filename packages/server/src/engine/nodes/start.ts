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
  effect: 'none',
  fields: {},
  settings: z.unknown(),
  run: () => done(null),
});
