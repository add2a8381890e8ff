import { z } from 'zod';
import { ownAppSlug } from '#connections/index';
import { callApp } from '#engine/nodes/app-action';
import { nodeType } from '#engine/nodes/node-type';

const settings = z
  .looseObject({
    action: z.string().optional(),
    action_id: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    fields: z.record(z.string(), z.unknown()).nullish(),
  })
  .transform((given, ctx) => {
    const actionId = given.action_id ?? given.action ?? '';
    if (actionId !== '') return { actionId, input: given.parameters ?? given.fields ?? {} };
    ctx.addIssue({ code: 'custom', path: ['action'], message: 'choose an action of My App' });
    return z.NEVER;
  });

/** Calls the organisation's own API, as the account of the execution. */
export const apiProxy = nodeType<z.output<typeof settings>>({
  type: 'api_proxy',
  label: 'API proxy',
  group: 'app',
  help: 'Calls your own API for the linked account: a custom action of My App, or a free request.',
  reference: {
    output: 'The data of the answer; kept as a file, what is known of the file with its link.',
    errors:
      'An API that is not set; a token exchange that is refused; a parameter that is missing or does not fit, by its name; a host that is not that of the API; a status outside 200-299, with the body of the answer.',
    effect: 'as of App action: what the action declares, else by its method.',
  },
  effect: ({ actionId, input }, { services, tenant, idempotencyKey }) =>
    services.actionEffect({ tenant, slug: ownAppSlug, actionId, input, idempotencyKey }),
  fields: {
    action: {
      type: 'text',
      label: 'Action',
      required: true,
      help: 'Id of a custom action of My App; `httprequest` is a free request.',
    },
    parameters: { type: 'map', label: 'Fields', help: 'Of the action.' },
  },
  settings,
  omitsMissing: true,
  logged: ({ actionId, input }) => ({ action: actionId, parameters: input }),
  run: ({ actionId, input }, ctx) => callApp(ownAppSlug, actionId, input, ctx),
});
