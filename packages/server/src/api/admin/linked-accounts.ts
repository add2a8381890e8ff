import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import { deleteAccountAndStop } from '#api/delete-linked-account';
import type { ApiDeps } from '#api/deps';
import { pageOf, pageQuery } from '#api/wire';
import { linkedAccountBody } from '#api/v2/linked-account-body';
import { createFromBody, listShaped, readShaped } from '#api/v2/linked-account-doors';
import { linkedAccountShape } from '#api/v2/linked-account-shape';
import { createConnectLink, getLinkedAccount, issueSessionToken } from '#connections/index';

const tags = ['Dashboard: linked accounts'];
const accountPath = z.object({ account_id: z.string() });

/** Linked accounts of the environment that the dashboard looks at. */
export function adminLinkedAccountRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/linked-accounts',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List linked accounts',
        querystring: pageQuery.extend({ search: z.string().max(200).optional() }),
        response: { 200: pageOf(linkedAccountShape) },
      },
    },
    (request) => listShaped(deps, consoleOf(request).tenant, request.query),
  );

  app.post(
    '/api/admin/linked-accounts',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Create a linked account',
        body: linkedAccountBody,
        response: { 200: linkedAccountShape },
      },
    },
    (request) => createFromBody(deps, consoleOf(request).tenant, request.body),
  );

  app.get(
    '/api/admin/linked-accounts/:account_id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read a linked account',
        params: accountPath,
        response: { 200: linkedAccountShape },
      },
    },
    (request) => readShaped(deps, consoleOf(request).tenant, request.params.account_id),
  );

  app.delete(
    '/api/admin/linked-accounts/:account_id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a linked account with everything it owns',
        params: accountPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await deleteAccountAndStop(deps, consoleOf(request).tenant, request.params.account_id);
      return { ok: true as const };
    },
  );

  app.post(
    '/api/admin/linked-accounts/:account_id/portal-link',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Make a link to the hosted page of a linked account',
        params: accountPath,
        body: z.record(z.string(), z.unknown()).describe('How the page looks: `color`, `bgColor`, `name`'),
        response: { 200: z.object({ hosted_url: z.string() }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const account = await getLinkedAccount(deps, tenant, request.params.account_id);
      const linkedAccount = { id: account.id, accountId: account.account_id, name: account.name };
      // Its own session: a look tried out here must not change the page that the customer has open.
      const { jti } = await issueSessionToken(deps, tenant, linkedAccount, { forceNew: true });
      return {
        hosted_url: await createConnectLink(deps, tenant, {
          linkedAccount,
          sessionJti: jti,
          properties: request.body,
        }),
      };
    },
  );
}
