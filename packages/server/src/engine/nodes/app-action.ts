import { z } from 'zod';
import { done, failed, nodeType, type NodeContext, type NodeOutcome } from '#engine/nodes/node-type';
import { retryOfStatus } from '#engine/run/retry-policy';

const settings = z
  .looseObject({
    app: z.string().optional(),
    slug: z.string().optional(),
    action: z.string().optional(),
    action_id: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    fields: z.record(z.string(), z.unknown()).nullish(),
  })
  .transform((given, ctx) => {
    const actionId = given.action_id ?? given.action;
    if (actionId === undefined || actionId === '') {
      ctx.addIssue({ code: 'custom', path: ['action'], message: 'choose an action of the app' });
      return z.NEVER;
    }
    return { slug: given.slug ?? given.app, actionId, input: given.parameters ?? given.fields ?? {} };
  });

type ActionSettings = z.infer<typeof settings>;

/** Calls an app for the linked account of the execution, with its stored credential. */
export const appAction = nodeType<ActionSettings>({
  type: 'app_action',
  label: 'App action',
  group: 'app',
  help: 'Runs an action of a connected app.',
  reference: {
    output:
      'What the action gives: the data of the answer, or the list of rows. The HTTP status stands beside it in the log.',
    errors:
      'An account that is not connected, or whose connection has ended; an unknown action; a parameter that is missing or does not fit, by its name; a refusal of the app, with its status and body. 429, 5xx and lost connections are tried again as far as the effect allows.',
    effect:
      'as the action declares it: `read`, `repeatable` or `once`. A custom action without a declared effect goes by its method: GET is `read`, PUT and DELETE are `repeatable`, POST and PATCH `once`; an action that sends an idempotency key is `repeatable`.',
  },
  effect: ({ slug, actionId, input }, { services, tenant, idempotencyKey, appSlug }) =>
    services.actionEffect({ tenant, slug: slug ?? appSlug ?? '', actionId, input, idempotencyKey }),
  fields: {
    app: { type: 'app', label: 'App', required: true },
    action: { type: 'action', label: 'Action', required: true },
    parameters: { type: 'action_parameters', label: 'Fields' },
  },
  settings,
  omitsMissing: true,
  logged: ({ slug, actionId, input }) => ({ app: slug, action: actionId, parameters: input }),
  async run({ slug, actionId, input }, ctx) {
    const app = slug ?? ctx.appSlug ?? '';
    if (actionId === incrementalSync) return syncWindow(app, input, ctx);
    return callApp(app, actionId, input, ctx);
  },
});

/** The generic action of every app that reads what changed since the last run. */
const incrementalSync = 'incrementalsync';

/** Reads the next window of the ledger; one that could not be read is read again by the next run. */
async function syncWindow(
  app: string,
  input: ActionSettings['input'],
  ctx: NodeContext,
): Promise<NodeOutcome> {
  const { syncWindows } = ctx.services;
  const reader = { executionId: ctx.executionId, nodeId: ctx.nodeId, batch: ctx.batch };
  const window = await syncWindows.open(ctx.tenant, reader, dateOf(input['from']));
  const filled = { ...input, from: window.from.toISOString(), to: window.to.toISOString() };
  let isRead = false;
  try {
    const outcome = await callApp(app, incrementalSync, filled, ctx);
    isRead = outcome.kind === 'done';
    return outcome;
  } finally {
    if (!isRead) await syncWindows.drop(ctx.tenant, reader);
  }
}

/** What is no date is for the action to refuse. */
function dateOf(value: unknown): Date | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

/** Calls an action of an app; its refusal is a failure with its status and body. */
export async function callApp(
  app: string,
  actionId: string,
  input: ActionSettings['input'],
  ctx: NodeContext,
): Promise<NodeOutcome> {
  const result = await ctx.services.executeAction({
    tenant: ctx.tenant,
    linkedAccountId: ctx.linkedAccount.id,
    slug: app,
    actionId,
    input,
    idempotencyKey: ctx.idempotencyKey,
    signal: ctx.signal,
  });
  if (result.ok) return done(result.data, undefined, result.status);
  return failed({
    message: `${app} refused "${actionId}" with status ${result.status}.`,
    status: result.status,
    body: result.data,
    retry: retryOfStatus(result.status),
    ...(result.retryAfterMs === undefined ? {} : { retryAfterMs: result.retryAfterMs }),
  });
}
