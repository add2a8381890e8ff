import { actionSchema, InputError } from '@inlay/connectors/kit';
import { z } from 'zod';
import { type ApiApp, payloadBodyLimit } from '#api/app';
import { accountCallerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { wireFieldType } from '#api/v2/application-shape';
import { connectorWithCustomActions, executeAction, ownAppSlug } from '#connections/index';
import { AppError } from '#domain/errors';

const tags = ['Actions'];
const slugPath = z.object({ slug: z.string() });
const actionPath = slugPath.extend({ action_id: z.string() });
const base = '/api/v2/integration-schema/:slug/actions';

/** Calling an app for a linked account: spec/api §4.4. */
export function actionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'List the actions of an app',
        operationId: 'listActions',
        params: slugPath,
        response: {
          200: z.array(
            z.object({
              action_id: z.string(),
              name: z.string(),
              description: z.string(),
              tag: z.string().optional(),
            }),
          ),
        },
      },
    },
    async (request) => {
      const { tenant } = accountCallerOf(request);
      const { actions } = await connectorWithCustomActions(deps, tenant, request.params.slug);
      return Object.entries(actions).map(([id, action]) => ({
        action_id: id,
        name: action.label,
        description: action.help,
        tag: action.group,
      }));
    },
  );

  app.get(
    `${base}/:action_id`,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read the parameters of an action',
        operationId: 'getActionSchema',
        params: actionPath,
        response: {
          200: z.array(
            z.object({
              name: z.string(),
              label: z.string(),
              required: z.boolean(),
              type: z.string(),
              help_text: z.string().optional(),
              placeholder: z.string().optional(),
              options: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
            }),
          ),
        },
      },
    },
    async (request) => {
      const { tenant } = accountCallerOf(request);
      const { slug, action_id: actionId } = request.params;
      const connector = await connectorWithCustomActions(deps, tenant, slug, actionId);
      try {
        return actionSchema(connector, actionId).map((field) => ({
          name: field.name,
          label: field.label,
          required: field.required,
          type: wireFieldType(field.type),
          ...(field.help !== undefined && { help_text: field.help }),
          ...(field.placeholder !== undefined && { placeholder: field.placeholder }),
          ...(field.choices !== undefined && { options: [...field.choices] }),
        }));
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        throw new AppError('action_not_found', { action: actionId, slug }, { cause: error });
      }
    },
  );

  app.post(
    `${base}/:action_id/execute`,
    {
      config: { auth: 'account' },
      bodyLimit: payloadBodyLimit,
      schema: {
        tags,
        summary: 'Execute an action with the credentials of a linked account',
        operationId: 'executeAction',
        params: actionPath,
        body: z.looseObject({}),
        response: {
          200: z.object({
            node_status: z.enum(['Success', 'Errored']),
            data: z.unknown(),
            http_status: z.int(),
          }),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount, kind } = accountCallerOf(request);
      // The organisation's own API believes what is injected; a browser of a customer may not speak in its name.
      if (kind === 'session' && request.params.slug === ownAppSlug) {
        throw new AppError('wrong_credential_kind', { accepted: 'an API key (x-api-key)' });
      }
      const result = await executeAction(deps, {
        tenant,
        linkedAccountId: linkedAccount.id,
        slug: request.params.slug,
        actionId: request.params.action_id,
        input: request.body,
      });
      return {
        node_status: result.ok ? ('Success' as const) : ('Errored' as const),
        data: result.data,
        http_status: result.status,
      };
    },
  );
}
