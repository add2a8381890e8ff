import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf, callerOf } from '#api/caller';
import { contextValue } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { accountIdText } from '#api/v2/linked-account-body';
import { linkedAccountShape, shapeWithIntegrations } from '#api/v2/linked-account-shape';
import { createConnectLink, getLinkedAccount, issueSessionToken } from '#connections/index';
import { findLinkedAccountRef } from '#db/linked-account';
import { findHostedProperties, revokeSessionToken } from '#db/session-token';
import { AppError } from '#domain/errors';
import { getOrganization } from '#organizations/index';

const tags = ['Sessions and hosted Connect'];

/** Session tokens and hosted Connect: spec/api §4.2. */
export function sessionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/api/v2/public/session-token',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Create a session token for a linked account',
        operationId: 'generateSessionTokenForLinkedAccount',
        querystring: z.object({ force_refresh: z.string().optional() }),
        body: z.object({
          linked_account_id: accountIdText.optional(),
          readOnlyWorkflow: z
            .boolean({ error: 'is neither true nor false' })
            .optional()
            .describe('true: the token may look at workflows, and not change, switch or run them'),
        }),
        response: {
          200: z.object({
            token: z.string(),
            refresh_token: z.string(),
            expires_in: z.int().describe('Seconds'),
            refresh_expires_in: z.int().describe('Seconds'),
          }),
        },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request);
      const accountId = contextValue(request, 'linked_account_id');
      if (accountId === undefined) throw new AppError('linked_account_id_missing', undefined);
      const account = await findLinkedAccountRef(deps.db, tenant, accountId);
      if (account === undefined) {
        throw new AppError('linked_account_unknown_for_token', {
          id: accountId,
          environment: tenant.environment,
        });
      }
      const issued = await issueSessionToken(deps, tenant, account, {
        forceNew: request.query.force_refresh === 'true',
        isWorkflowReadOnly: request.body.readOnlyWorkflow ?? false,
      });
      return {
        token: issued.token,
        refresh_token: issued.refreshToken,
        expires_in: issued.expiresInSeconds,
        refresh_expires_in: issued.refreshExpiresInSeconds,
      };
    },
  );

  app.post(
    '/api/v2/public/session-token/revoke',
    {
      config: { auth: 'session' },
      schema: {
        tags,
        summary: 'Revoke the session token that is sent',
        operationId: 'revokeLinkedAccountSessionToken',
        response: { 200: z.object({ success: z.literal(true), revoked_count: z.int() }) },
      },
    },
    async (request) => {
      const { tenant, credentialId } = callerOf(request);
      const wasAlive = await revokeSessionToken(deps.db, tenant, credentialId, deps.clock.now());
      return { success: true as const, revoked_count: wasAlive ? 1 : 0 };
    },
  );

  app.post(
    '/api/v2/public/connect-url',
    {
      bodyLimit: 64 * 1024, // kept with every link for days, and customers may make links
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Create a link to the hosted page of a linked account',
        operationId: 'createConnectUrl',
        querystring: z.object({ config_id: z.string().optional(), linked_account_id: z.string().optional() }),
        body: z
          .looseObject({
            color: z.unknown().optional(),
            bgColor: z.unknown().optional(),
            name: z.unknown().optional(),
          })
          .describe('How the page looks: `color`, `bgColor` and `name`; anything else is kept too.'),
        response: { 200: z.object({ hosted_url: z.string() }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount, kind, credentialId } = accountCallerOf(request);
      const sessionJti =
        kind === 'session'
          ? credentialId
          : (await issueSessionToken(deps, tenant, linkedAccount, { forceNew: false })).jti;
      return {
        hosted_url: await createConnectLink(deps, tenant, {
          linkedAccount,
          sessionJti,
          configId: contextValue(request, 'config_id'),
          properties: request.body,
        }),
      };
    },
  );

  app.get(
    '/api/v2/public/hosted-properties',
    {
      config: { auth: 'session' },
      schema: {
        tags,
        summary: 'Read how the hosted page was asked to look',
        operationId: 'getHostedProperties',
        response: { 200: z.record(z.string(), z.unknown()) },
      },
    },
    async (request) => {
      const { tenant, credentialId } = callerOf(request);
      return (await findHostedProperties(deps.db, tenant, credentialId, deps.clock.now())) ?? {};
    },
  );

  app.get(
    '/api/v3/org/basics',
    {
      config: { auth: 'session' },
      schema: {
        tags,
        summary: 'Read the organization and the linked account of a session token',
        operationId: 'getAccountDetails',
        response: {
          200: z.object({
            org_id: z.string(),
            name: z.string(),
            logo: z.string().optional(),
            environment: z.enum(['test', 'production']),
            linked_account_id: z.string(),
            linked_account: linkedAccountShape,
            branding: z.record(z.string(), z.unknown()).optional(),
          }),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount, credentialId } = accountCallerOf(request);
      const organization = await getOrganization(deps, tenant.orgId);
      const account = await getLinkedAccount(deps, tenant, linkedAccount.accountId);
      const [shaped] = await shapeWithIntegrations(deps, tenant, [account]);
      if (shaped === undefined) throw new AppError('internal', undefined);
      const branding = await findHostedProperties(deps.db, tenant, credentialId, deps.clock.now());
      return {
        org_id: tenant.orgId,
        name: organization.name,
        ...(organization.logo !== null && { logo: organization.logo }),
        environment: tenant.environment,
        linked_account_id: linkedAccount.accountId,
        linked_account: shaped,
        ...(branding && { branding }),
      };
    },
  );
}
