import { z } from 'zod';
import { nodeType, respond } from '#engine/nodes/node-type';

const settings = z.object({
  data: z.unknown().optional(),
  status_code: z.coerce.number().int().min(200).max(599).default(200),
});

/** Fixes what the caller gets: the body and status of a sync call, and of a later read of the response. */
export const response = nodeType({
  type: 'response',
  label: 'Response',
  group: 'control',
  help: 'Answers the caller of this execution. The first response that is reached stands.',
  reference: {
    output: 'What it answers. The first Response that is reached stands.',
    errors: 'A status code outside 200-599.',
  },
  effect: 'none',
  fields: {
    data: { type: 'json', label: 'Data', required: true },
    status_code: { type: 'number', label: 'Status code', default: 200 },
  },
  settings,
  run: ({ data, status_code }) => respond(data ?? null, status_code),
});
